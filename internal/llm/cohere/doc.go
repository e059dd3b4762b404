// Package cohere speaks Cohere's own protocol, the second version of its chat API (POST /v2/chat), and translates between it and OpenAI's
// chat completions. It also asks Cohere for embeddings (POST /v2/embed).
//
// # Requests
//
//   - Messages keep their order and roles; a developer's message is a system message. Texts stay texts, lists of parts stay lists. An
//     image of a user's message is passed on, be it a data URL or an address; whether the model sees is the model's affair.
//   - What an assistant thought (reasoning_content) is sent back as the tool_plan of a message that has tool calls, and left out of all
//     others: no model looks at old thoughts there. Its refusal is sent as its text.
//   - top_p is p (0.01 to 0.99), stop is stop_sequences, max_completion_tokens is max_tokens; temperature must be 0 to 1, penalties 0 to 1,
//     top_k (0 to 500) is k. A seed must not be negative.
//   - tool_choice "required" and "none" are sent, "auto" is Cohere's default; a named function is refused. If all functions are strict,
//     strict_tools is set; if only some are, it is refused, since Cohere has one switch for all.
//   - response_format of type json_object and json_schema are sent, but not beside tools, where Cohere does not take it. The name of a
//     schema is left out, and the schema is always enforced, also where strict is not set.
//   - reasoning_effort "none" and "high" disable and enable thinking: Cohere has nothing between. thinking, safety_mode and priority are
//     passed on.
//
// All else is refused by name, unless its value is the one that asks for nothing (n 1, logprobs false, …): documents and citation_options
// among them, since citations have no place in OpenAI's shape. Those that Cohere makes of its own accord when it answers with the results
// of tools are left out of the answer.
//
// # Answers
//
// Texts are joined without anything in between. What the model thinks, and its plan for the tools that it calls (tool_plan), is
// reasoning_content: both come before what it does and are not meant to be the answer. Tokens are those that the model saw and made
// (usage.tokens), which are more than those on the bill (usage.billed_units): these count only where the others are missing.
//
// # Embeddings
//
// Cohere wants to know what texts are for: query is search_query, document search_document, and so is a call that does not say it. Vectors
// are asked for as floats, in base64 if it is so configured, or quantised (int8, uint8, binary, ubinary), which the caller gets as one number a
// dimension; dimensions are output_dimension (256, 512, 1024 or 1536). Texts are truncated at their END, or NONE. The tokens
// are those on the bill, which is all that it tells of them.
package cohere
