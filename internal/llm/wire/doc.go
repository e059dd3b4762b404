// Package wire is what the adapters of all model servers share: one HTTP request, made, bounded, checked, and its failure understood.
//
// It makes no decision about a second attempt. Every error is an [llm.Fault] that names the provider, out of which the API keys that
// were sent have been cut: a server, or a proxy in front of it, may repeat in its answer whatever it was sent.
package wire
