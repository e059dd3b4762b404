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
	// HeaderIncrement is what a message adds to the counter of its subject (ADR-49): a whole number with its sign.
	HeaderIncrement = "Nats-Incr"
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
	// HeaderRequestID names a request: an interactive one, so that its caller can cancel it, and a durable one, on its result
	// too. It is a token (see [CheckToken]). A durable request without it is named by its [HeaderMsgID].
	HeaderRequestID = "Mlsdm-Request-Id"
	// HeaderRequestOrigin says for which message a result was made: "<sequence>-<time>", its sequence in the stream of requests
	// and when it was stored, in nanoseconds since 1970.
	HeaderRequestOrigin = "Mlsdm-Request-Origin"
	// HeaderRequestHash says for which request a result was made: the SHA-256, in hex, of its kind, a line feed, and its body.
	HeaderRequestHash = "Mlsdm-Request-Hash"

	// HeaderWindow is how many chunks of a stream may be on their way to a reader who acknowledges them: 1 to [MaxWindow].
	HeaderWindow = "Mlsdm-Window"
	// HeaderKeepaliveMS asks for a sign of life when a stream has been silent for so many milliseconds, and HeaderKeepalive, whose
	// value is 1, marks it: a chunk without choices, which has no [HeaderSequence].
	HeaderKeepaliveMS = "Mlsdm-Keepalive-Ms"
	HeaderKeepalive   = "Mlsdm-Keepalive"
	// HeaderSequence is the place of a message in a stream of chunks, from 1, the end of it included.
	HeaderSequence = "Mlsdm-Sequence"
	// HeaderFinishReason and HeaderUsage stand on the end of a stream of chunks: why the model stopped, as in
	// [ChatChoice.FinishReason], and a [ChatUsage] in JSON.
	HeaderFinishReason = "Mlsdm-Finish-Reason"
	HeaderUsage        = "Mlsdm-Usage"

	// HeaderCache says what a generate request has to do with the cache of answers: on, off or refresh (see the Cache constants).
	HeaderCache = "Mlsdm-Cache"

	// HeaderDelivery, HeaderEndpoint, HeaderEventID, HeaderEventType, HeaderAttempt, HeaderFirstAttemptAt and
	// HeaderPublishedAt describe one delivery on its way through the deliveries stream. Attempts count from 1; the times,
	// of the first attempt and of when the event was stored, are RFC 3339.
	HeaderDelivery       = "Mlsdm-Delivery"
	HeaderEndpoint       = "Mlsdm-Endpoint"
	HeaderEventID        = "Mlsdm-Event-Id"
	HeaderEventType      = "Mlsdm-Event-Type"
	HeaderAttempt        = "Mlsdm-Attempt"
	HeaderFirstAttemptAt = "Mlsdm-First-Attempt-At"
	HeaderPublishedAt    = "Mlsdm-Published-At"
	// HeaderSlot is the time (RFC 3339) of a place under the endpoint's rate limit that was given to a delivery. HeaderReplay
	// is the id of the replay that made it. HeaderProbe marks a test of a disabled endpoint, and says of which disabling.
	HeaderSlot   = "Mlsdm-Slot"
	HeaderReplay = "Mlsdm-Replay"
	HeaderProbe  = "Mlsdm-Probe"

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
	// HeaderDeadFault says of a delivery whose fault it is: receiver, endpoint or internal.
	HeaderDeadFault = "Mlsdm-Dead-Fault"
	// HeaderDeadStatus and HeaderDeadClass are those of its last attempt: the HTTP status, the class of the error.
	HeaderDeadStatus = "Mlsdm-Dead-Status"
	HeaderDeadClass  = "Mlsdm-Dead-Class"
)

// Values of [HeaderCache].
const (
	// CacheOn takes an answer out of the cache, or puts it there.
	CacheOn = "on"
	// CacheOff does neither.
	CacheOff = "off"
	// CacheRefresh puts a new answer there.
	CacheRefresh = "refresh"
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
		if len(v) > 0 && len(k) == len(name) && strings.EqualFold(k, name) && (found == "" || k < found) {
			found, value = k, v[0]
		}
	}
	return value
}

// Header is one entry of the catalogue of headers.
type Header struct {
	Name string
	// On says which messages carry it.
	On string
	// Means says what it says, in one line.
	Means string
}

// Headers returns the catalogue of headers, in the order of their documentation. The attributes of binary events, which
// start with [HeaderCloudEventPrefix], are an entry together.
func Headers() []Header {
	return []Header{
		{HeaderMsgID, "events, durable requests", "JetStream's deduplication id: the event's id, the request's id"},
		{HeaderContentType, "all", "media type of the body; on an event it tells the form"},
		{HeaderCloudEventPrefix + "*", "events in binary form", "one CloudEvents attribute each, percent-encoded"},
		{HeaderTraceParent, "all", "W3C Trace Context, in lower case"},
		{HeaderTraceState, "all", "W3C Trace Context, in lower case"},
		{HeaderDeadline, "requests", "RFC 3339 time after which the caller no longer wants the answer"},
		{HeaderTimeoutMS, "requests", "the same as milliseconds from the arrival of the request, 1 to 86400000"},
		{HeaderResultTTL, "durable requests", "how long the result is kept: a duration of 1s to 24h, such as 90m; 1h without it"},
		{HeaderRequestID, "requests, results, kept chunks", "the id of the request: to cancel it by, or to find its result"},
		{HeaderRequestOrigin, "results", "for which message it was made: its sequence in the stream of requests, a hyphen, its time in nanoseconds"},
		{HeaderRequestHash, "results", "SHA-256 of the request's kind, a line feed and its body, in hex"},
		{HeaderWindow, "interactive requests for a stream", "how many chunks may be on their way, 1 to 65536; the reader acknowledges them"},
		{HeaderKeepaliveMS, "interactive requests for a stream", "after how much silence a sign of life is wanted, in milliseconds, 100 to 60000"},
		{HeaderKeepalive, "signs of life of streams", "1: a chunk that says nothing and has no place in the stream"},
		{HeaderSequence, "chunks and the end of a stream", "place in the stream, from 1"},
		{HeaderFinishReason, "ends of streams", "why the model stopped: stop, length, tool_calls or content_filter"},
		{HeaderUsage, "ends of streams", "the tokens that were used, as JSON"},
		{HeaderCache, "generate requests", "on: an answer to exactly the same may come out of the cache; off: not; refresh: a new one is put there; without it, what the alias says"},
		{HeaderErrorCode, "error replies, results", "the error's code; its presence makes a reply an error"},
		{HeaderError, "error replies, results", "the error's text, one line, for people"},
		{HeaderMsgTTL, "results", "the life of this one message, in seconds or as a duration"},
		{HeaderDelivery, "deliveries", "id of the delivery: one event for one endpoint"},
		{HeaderAttempt, "deliveries, kept chunks", "which attempt this is, from 1"},
		{HeaderFirstAttemptAt, "deliveries", "RFC 3339 time of the first attempt"},
		{HeaderPublishedAt, "deliveries", "RFC 3339 time at which the event was stored"},
		{HeaderSlot, "deliveries", "RFC 3339 time of the place under the endpoint's rate limit that it has"},
		{HeaderReplay, "deliveries", "id of the replay that made it"},
		{HeaderProbe, "deliveries", "marks a test of a disabled endpoint; of which disabling"},
		{HeaderSchedule, "deliveries that wait", "when JetStream's scheduler releases the message"},
		{HeaderScheduleTarget, "deliveries that wait", "the subject on which it is released"},
		{HeaderIncrement, "limits, budgets", "what is added to the counter of the subject: a whole number, its sign before it"},
		{HeaderDeadReason, "dead letters", "why it was given up, for people"},
		{HeaderDeadCode, "dead letters", "the error's code"},
		{HeaderDeadSubject, "dead letters", "the subject on which the message was published"},
		{HeaderDeadStream, "dead letters", "the stream that held it"},
		{HeaderDeadSequence, "dead letters", "its sequence in that stream"},
		{HeaderDeadAttempts, "dead letters", "how often it was handed out"},
		{HeaderDeadTime, "dead letters", "RFC 3339 time at which it was given up"},
		{HeaderDeadMsgID, "dead letters", "its former Nats-Msg-Id"},
		{HeaderEndpoint, "dead letters of deliveries", "id of the endpoint"},
		{HeaderEventID, "dead letters of deliveries", "id of the event"},
		{HeaderEventType, "dead letters of deliveries", "type of the event"},
		{HeaderDeadFault, "dead letters of deliveries", "whose fault: receiver, endpoint or internal"},
		{HeaderDeadStatus, "dead letters of deliveries", "HTTP status of the last attempt, if there was an answer"},
		{HeaderDeadClass, "dead letters of deliveries", "class of the last attempt's error: dns, connect, tls, timeout, reset, protocol, redirect, status, blocked, endpoint"},
	}
}
