// Package anthropic speaks Anthropic's own protocol, the messages API (POST /v1/messages, version 2023-06-01), and translates between it
// and OpenAI's chat completions.
//
// # Requests
//
//   - System and developer messages in front of the conversation become the top-level system, in their order. One in the middle is
//     refused, or sent at its place if [Config.SystemTurns] says that the models take it.
//   - Tool messages that follow each other become one user turn of tool results. Whether a tool failed is not known, so nothing is said
//     of it. A tool message's name is left out: the id of the call says it.
//   - Blank texts (empty, or white space only) are left out, since the API refuses them, where something else is left to say; a message
//     that says nothing else is refused, unless it is the system's.
//   - Of an assistant's message its text, its refusal and its calls are sent. Its thoughts are not: the API takes back only those that it
//     has signed.
//   - max_tokens, which the API demands, is the request's own limit or [Config.MaxTokens].
//   - reasoning_effort is output_config.effort (low, medium, high, xhigh, max); "none" disables thinking.
//   - A conversation that ends with an assistant's message is sent as it is: models that can, continue that message.
//   - thinking, top_k, cache_control and service_tier are passed on; a text, image or file part may have cache_control as well.
//   - user, or safety_identifier, is metadata.user_id.
//   - The name of a JSON schema, which has no meaning for the answer, is left out; the schema is always enforced, also where strict is
//     not set.
//
// All else is refused by name, unless its value is the one that asks for nothing (n 1, logprobs false, frequency_penalty 0, …).
//
// # Answers
//
// Texts are joined without anything in between, and so are thoughts, which are reasoning_content; those in a cipher, and signatures, are
// left out, and are signs of life in a stream. The prompt tokens of the usage include those that were read from and written to the
// cache. A stream that breaks off tells what was counted until then: of the prompt all, of the answer what the server has said.
package anthropic
