// Package ollama speaks Ollama's own protocol (POST /api/chat, and GET /api/tags for the models that are there), and translates between
// it and OpenAI's chat completions. It also asks Ollama for embeddings (POST /api/embed).
//
// # Requests
//
//   - Messages keep their order and roles; a developer's message is a system message. Parts of text become one text, joined by newlines,
//     and the images of a message stand beside it: the protocol has no order between the two. Ollama fetches nothing, so images have to
//     be data URLs (JPEG, PNG or WebP).
//   - What an assistant thought (reasoning_content) is sent as its thinking; its refusal is sent as its text. A tool's message names the
//     function, by its own name or by that of the call that it answers.
//   - temperature, top_p, seed, stop, max_completion_tokens (num_predict), and of what is not OpenAI's top_k, min_p, frequency_penalty,
//     presence_penalty, repeat_penalty and num_ctx, are options. keep_alive is passed on.
//   - response_format of type json_object is format "json", a JSON schema is the format itself. The name of a schema is left out, and
//     the schema is always enforced, also where strict is not set.
//   - tool_choice "auto" is all that Ollama knows; for "none" no tools are sent.
//   - reasoning_effort is think: none is false, low, medium, high and max are themselves. think is passed on.
//
// All else is refused by name, unless its value is the one that asks for nothing (n 1, logprobs false, …).
//
// # Answers
//
// An answer has no id, so it gets one; so does a call of a server that gives none. What the model thinks is reasoning_content. Ollama
// counts what it thinks as part of what it says.
//
// # Embeddings
//
// Ollama is always told whether it may cut a text that is too long; by itself it would, in silence. A text may then still be refused, or
// cut where the model reads less than it says.
//
// # Keys
//
// Ollama wants none. One that is configured is sent as a bearer token, as proxies before it and Ollama's own cloud want it.
package ollama
