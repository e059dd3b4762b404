package natstrace

import "strings"

// Kinds of connections, as the server numbers them.
const (
	kindClient = iota
	kindRoute
	kindGateway
	kindSystem
	kindLeaf
	kindStream
	kindAccount
)

// kind is the word for a kind of connection.
func kind(k int) string {
	switch k {
	case kindClient:
		return "client"
	case kindRoute:
		return "route"
	case kindGateway:
		return "gateway"
	case kindSystem:
		return "system"
	case kindLeaf:
		return "leaf"
	case kindStream:
		return "jetstream"
	case kindAccount:
		return "account"
	default:
		return "other"
	}
}

// What the server calls an error and is none: a client that wants no echo, and a message that was stored before.
const (
	errorNoEcho    = "Not delivered because of no echo"
	errorDuplicate = "msgid is duplicate"
)

// errorOther is the type of an error that has no word here.
const errorOther = "_OTHER"

// errorType is the error.type of what a server gives as the reason why a message was not taken, stored or sent on: one of a few
// words, whatever the server adds to its own.
func errorType(message string) string {
	for _, known := range []struct{ has, word string }{
		{"publish denied", "publish_denied"},
		{"subscription denies", "subscribe_denied"},
		{"subscription is closed", "subscription_closed"},
		{"client is closed", "client_closed"},
		{"auto-unsubscribe exceeded", "unsubscribed"},
		{"consumer is slow", "slow_consumer"},
		{"does not support message tracing", "tracing_unsupported"},
		{"maximum payload", "message_too_large"},
		{"message size exceeds", "message_too_large"},
		{"wrong last sequence", "wrong_last_sequence"},
		{"last sequence mismatch", "wrong_last_sequence"},
		{"wrong last msg", "wrong_last_msg_id"},
		{"last msg ID", "wrong_last_msg_id"},
		{"expected stream", "wrong_stream"},
		{"stream does not match", "wrong_stream"},
		{"maximum messages", "stream_full"},
		{"maximum bytes", "stream_full"},
		{"resource", "insufficient_resources"},
		{"stream closed", "stream_closed"},
	} {
		if strings.Contains(message, known.has) {
			return known.word
		}
	}
	return errorOther
}
