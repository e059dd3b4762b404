// Package llm is what embedding and text models have in common, whoever runs them: the interfaces that a provider's
// adapter implements ([Adapter], [EmbedAdapter]), what they fail with ([Fault]), and the rules that all of them share for reading
// errors and checking answers.
//
// Types live here, adapters in the packages below. An adapter never sees the provider's name in front of a model:
// "openai/gpt-4o-mini" reaches it as "gpt-4o-mini". It makes one request for a call: whether it is repeated, and where, is decided by
// the services.
package llm
