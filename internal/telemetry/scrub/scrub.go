// Package scrub keeps what is nobody's business out of telemetry: it stands between the process and the exporters of traces, logs
// and metrics, and fails closed.
//
// Attributes of traces pass only if their key is on the list of [Keys]. Texts, wherever they stand, are searched for secrets, tokens,
// e-mail addresses, card and phone numbers, which are replaced by [Redacted]; texts that are too long are cut.
package scrub

// Redacted stands where something was taken out.
const Redacted = "[redacted]"
