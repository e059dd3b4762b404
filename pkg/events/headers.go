package events

import "strings"

// Headers of the wire contract. NATS headers are case-sensitive; we write them as they stand here and read them in any
// case (see [HeaderValue]).
const (
	// HeaderMsgID is JetStream's deduplication id: the event id, the request id, or a delivery and its attempt.
	HeaderMsgID = "Nats-Msg-Id"
	// HeaderErrorCode and HeaderError mark a reply as an error (NATS micro protocol, ADR-32).
	HeaderErrorCode = "Nats-Service-Error-Code"
	HeaderError     = "Nats-Service-Error"
	// HeaderMsgTTL is the life of one message in a stream that allows it (ADR-43), as a Go duration or in seconds.
	HeaderMsgTTL = "Nats-TTL"
	// HeaderSchedule, HeaderScheduleTarget ask the JetStream message scheduler to release a message later (ADR-51).
	HeaderSchedule       = "Nats-Schedule"
	HeaderScheduleTarget = "Nats-Schedule-Target"
	// HeaderContentType is the media type of the body.
	HeaderContentType = "Content-Type"
	// HeaderTraceParent and HeaderTraceState are W3C Trace Context, in lower case as that recommendation writes them.
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
	// HeaderCloudEventPrefix starts every attribute of a binary-mode CloudEvent.
	HeaderCloudEventPrefix = "ce-"

	// HeaderDeadline is the moment (RFC 3339) after which the caller no longer wants the answer.
	HeaderDeadline = "Mlsdm-Deadline"
	// HeaderTimeoutMS is the same as a patience in milliseconds, counted from the arrival of the request.
	HeaderTimeoutMS = "Mlsdm-Timeout-Ms"
	// HeaderResultTTL asks how long a durable request's result is kept: a Go duration of 1s to 24h; 1h without it.
	HeaderResultTTL = "Mlsdm-Result-Ttl"
	// HeaderRequestID repeats the request id on the result of a durable request.
	HeaderRequestID = "Mlsdm-Request-Id"

	// HeaderDelivery, HeaderEndpoint, HeaderEventID, HeaderEventType, HeaderAttempt and HeaderFirstAttemptAt describe one
	// delivery on its way through the deliveries stream. Attempts count from 1; the time is RFC 3339.
	HeaderDelivery       = "Mlsdm-Delivery"
	HeaderEndpoint       = "Mlsdm-Endpoint"
	HeaderEventID        = "Mlsdm-Event-Id"
	HeaderEventType      = "Mlsdm-Event-Type"
	HeaderAttempt        = "Mlsdm-Attempt"
	HeaderFirstAttemptAt = "Mlsdm-First-Attempt-At"

	// HeaderDeadReason, HeaderDeadCode, HeaderDeadSubject, HeaderDeadStream, HeaderDeadSequence, HeaderDeadAttempts,
	// HeaderDeadTime and HeaderDeadMsgID (the former Nats-Msg-Id) are added to a dead letter, which is otherwise the message as it was, body and headers.
	HeaderDeadReason   = "Mlsdm-Dead-Reason"
	HeaderDeadCode     = "Mlsdm-Dead-Code"
	HeaderDeadSubject  = "Mlsdm-Dead-Subject"
	HeaderDeadStream   = "Mlsdm-Dead-Stream"
	HeaderDeadSequence = "Mlsdm-Dead-Sequence"
	HeaderDeadAttempts = "Mlsdm-Dead-Attempts"
	HeaderDeadTime     = "Mlsdm-Dead-Time"
	HeaderDeadMsgID    = "Mlsdm-Dead-Msg-Id"
)

// Media types of bodies.
const (
	ContentTypeJSON       = "application/json"
	ContentTypeCloudEvent = "application/cloudevents+json"
	ContentTypeText       = "text/plain"
)

// HeaderValue returns the first value of the named header, whatever the case of its name. An exact match wins; of several
// others, the first in the order of their bytes, so that every reader sees the same.
func HeaderValue(header map[string][]string, name string) string {
	if v, ok := header[name]; ok {
		if len(v) == 0 {
			return ""
		}
		return v[0]
	}
	found, value := "", ""
	for k, v := range header {
		if len(v) > 0 && strings.EqualFold(k, name) && (found == "" || k < found) {
			found, value = k, v[0]
		}
	}
	return value
}
