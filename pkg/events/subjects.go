package events

import (
	"strconv"
	"strings"
)

// DefaultPrefix starts every subject unless the operator chose another, so that one cluster can hold several
// installations.
const DefaultPrefix = "mlsdm"

// DefaultCaller is who asks on the plain subjects.
const DefaultCaller = "default"

// maxPrefixLength bounds the prefix, in bytes.
const maxPrefixLength = 32

// Kinds of durable requests.
const (
	KindEmbed    = "embed"
	KindGenerate = "generate"
)

// RequestKinds returns every kind of durable request.
func RequestKinds() []string { return []string{KindEmbed, KindGenerate} }

// Subjects builds and reads the subjects of one installation. The zero value uses [DefaultPrefix].
type Subjects struct {
	prefix string
}

// NewSubjects returns the subjects under prefix; empty is [DefaultPrefix]. A prefix is 1 to 32 of the characters a-z 0-9 _ -,
// which also stand in the names of streams and buckets: so that no two installations of one cluster can meet in one stream.
// Anything else is an [Error] of code invalid_argument.
func NewSubjects(prefix string) (Subjects, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if len(prefix) > maxPrefixLength {
		return Subjects{}, Errorf(CodeInvalidArgument, "the prefix has %d bytes; at most %d are allowed", len(prefix), maxPrefixLength)
	}
	for i := range len(prefix) {
		if c := prefix[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return Subjects{}, Errorf(CodeInvalidArgument, "the prefix has %q at byte %d; it is made of a-z 0-9 _ -", c, i)
		}
	}
	return Subjects{prefix: prefix}, nil
}

// Prefix returns the first token of every subject.
func (s Subjects) Prefix() string {
	if s.prefix == "" {
		return DefaultPrefix
	}
	return s.prefix
}

// join builds a subject below the prefix.
func (s Subjects) join(tokens ...string) string {
	return s.Prefix() + "." + strings.Join(tokens, ".")
}

// Below turns a subject of the catalogue, which is written without a prefix, into a real one.
func (s Subjects) Below(relative string) string { return s.join(relative) }

// Event is where an event of a type is published: mlsdm.events.<type>. The type must be valid (see [CheckType]).
func (s Subjects) Event(eventType string) string { return s.join("events", eventType) }

// EventType reads the type out of an event's subject.
func (s Subjects) EventType(subject string) (string, bool) {
	return strings.CutPrefix(subject, s.Prefix()+".events.")
}

// Interactive is where a request is asked for at once: mlsdm.<name>, or mlsdm.as.<caller>.<name> under a caller's name.
// The name is that of an [Operation], for example "embed".
func (s Subjects) Interactive(caller, name string) string {
	return s.as(caller, name)
}

// Request is where a durable request is published: mlsdm.requests.<kind>, or mlsdm.as.<caller>.requests.<kind>.
func (s Subjects) Request(caller, kind string) string { return s.as(caller, "requests."+kind) }

// as puts a relative subject under a caller's name; the default caller has none.
func (s Subjects) as(caller, relative string) string {
	if caller == "" || caller == DefaultCaller {
		return s.join(relative)
	}
	return s.join("as", caller, relative)
}

// Secret is where a caller asks for a secret: mlsdm.as.<caller>.secrets.get. It has no plain form.
func (s Subjects) Secret(caller string) string { return s.join("as", caller, "secrets.get") }

// Result is where the reply of a durable request is kept: mlsdm.results.<caller>.<request id>.
func (s Subjects) Result(caller, requestID string) string {
	if caller == "" {
		caller = DefaultCaller
	}
	return s.join("results", caller, requestID)
}

// Cancel is where the caller of an interactive request takes it back: mlsdm.cancel.<request id>, or
// mlsdm.as.<caller>.cancel.<request id>.
func (s Subjects) Cancel(caller, requestID string) string { return s.as(caller, "cancel."+requestID) }

// StreamControl is where the reader of a stream acknowledges its chunks, or ends it: mlsdm.streams.<replica>.<stream>, or
// mlsdm.as.<caller>.streams.<replica>.<stream>. It is the reply subject of every chunk.
func (s Subjects) StreamControl(caller, replica, stream string) string {
	return s.as(caller, "streams."+replica+"."+stream)
}

// Part is where a part of a large embeddings request is kept: mlsdm.parts.<caller>.<request id>.<number>. A number of "*" stands for
// all of them.
func (s Subjects) Part(caller, requestID, number string) string {
	if caller == "" {
		caller = DefaultCaller
	}
	return s.join("parts", caller, requestID, number)
}

// Chunks is where the chunks of a durable request are kept: mlsdm.chunks.<caller>.<request id>.
func (s Subjects) Chunks(caller, requestID string) string {
	if caller == "" {
		caller = DefaultCaller
	}
	return s.join("chunks", caller, requestID)
}

// Caller reads the caller out of any subject: the token behind "as", or [DefaultCaller].
func (s Subjects) Caller(subject string) string {
	rest, ok := strings.CutPrefix(subject, s.Prefix()+".as.")
	if !ok {
		return DefaultCaller
	}
	caller, _, ok := strings.Cut(rest, ".")
	if !ok || caller == "" {
		return DefaultCaller
	}
	return caller
}

// DeliveryReady is where a delivery waits for a worker: mlsdm.deliveries.ready.<endpoint>.
func (s Subjects) DeliveryReady(endpoint string) string { return s.join("deliveries.ready", endpoint) }

// DeliveryAgain is where the scheduler releases a delivery that had to wait: mlsdm.deliveries.again.<endpoint>. It is not
// [Subjects.DeliveryReady], so that many late retries do not stand in the way of what is new.
func (s Subjects) DeliveryAgain(endpoint string) string { return s.join("deliveries.again", endpoint) }

// DeliveryLater is where the scheduler holds a delivery until its time: mlsdm.deliveries.later.<delivery>. The token is
// unique among what waits, since the scheduler keeps one message a subject.
func (s Subjects) DeliveryLater(delivery string) string { return s.join("deliveries.later", delivery) }

// Attempts is where the attempts of an endpoint are recorded: mlsdm.attempts.<endpoint>.
func (s Subjects) Attempts(endpoint string) string { return s.join("attempts", endpoint) }

// DeadEvent is where an event lands that cannot be read.
func (s Subjects) DeadEvent() string { return s.join("deadletters.events") }

// DeadRequest is where a durable request lands that was given up.
func (s Subjects) DeadRequest(kind string) string { return s.join("deadletters.requests", kind) }

// DeadDelivery is where a delivery lands that was given up: mlsdm.deadletters.deliveries.<fault>.<endpoint>. The fault is
// [FaultReceiver], [FaultEndpoint] or [FaultInternal].
func (s Subjects) DeadDelivery(fault, endpoint string) string {
	return s.join("deadletters.deliveries", fault, endpoint)
}

// Sightings is the subject of CI runs that were told of, in a part of the watched repositories, 0 to [CIShards]-1.
func (s Subjects) Sightings(shard int) string { return s.join("sightings", strconv.Itoa(shard)) }

// AuditSecrets is where every access to a secret is recorded: mlsdm.audit.secrets.
func (s Subjects) AuditSecrets() string { return s.join("audit.secrets") }

// CacheDeleted is where the replicas of a service tell each other what they have deleted from their caches:
// mlsdm.cache.deleted.<service>.
func (s Subjects) CacheDeleted(service string) string { return s.join("cache.deleted", service) }

// CacheClear is where an operator asks a service to forget all that a namespace of its cache holds:
// mlsdm.cache.clear.<service>.<namespace>. A namespace of "*" stands for all of them. It has no form under a caller's name.
func (s Subjects) CacheClear(service, namespace string) string {
	return s.join("cache.clear", service, namespace)
}

// Control is where an operator tells every replica of a service what to do, and each answers for itself:
// mlsdm.control.<service>.<verb>. The verbs are [ControlLogLevel] and [ControlShutdown]. It has no form under a caller's name.
func (s Subjects) Control(service, verb string) string { return s.join("control", service, verb) }

// Hops is where the server says what became of messages whose trace is sampled: mlsdm.trace.hops.
func (s Subjects) Hops() string { return s.join("trace.hops") }

// Limit is the counter of what was used of a limit in a minute: mlsdm.limits.<kind>.<rule>.<scope>.<window>. The kind is
// "requests" or "tokens", the window is when the minute began, in Unix seconds.
func (s Subjects) Limit(kind, rule, scope, window string) string {
	return s.join("limits", kind, rule, scope, window)
}

// Budget is the counter of what was spent on a day: mlsdm.budgets.cost.<rule>.<scope>.<window>, in billionths of a currency. The
// window is when the day began, in Unix seconds.
func (s Subjects) Budget(rule, scope, window string) string {
	return s.join("budgets", "cost", rule, scope, window)
}

// StreamName is the name of a stream of the catalogue in this installation: MLSDM_EVENTS.
func (s Subjects) StreamName(name string) string {
	return strings.ToUpper(s.Prefix()) + "_" + name
}

// BucketName is the name of a KV bucket of the catalogue in this installation: mlsdm_endpoints.
func (s Subjects) BucketName(name string) string {
	return s.Prefix() + "_" + name
}

// CheckToken checks that token can be one token of a subject: 1 to [MaxIDLength] printable ASCII characters without
// "." "*" ">" and space. The error, of code invalid_argument, calls it name.
func CheckToken(name, token string) error {
	if token == "" {
		return Errorf(CodeInvalidArgument, "%s is empty", name)
	}
	if len(token) > MaxIDLength {
		return Errorf(CodeInvalidArgument, "%s has %d bytes; at most %d are allowed", name, len(token), MaxIDLength)
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' || c == '.' || c == '*' || c == '>' {
			return Errorf(CodeInvalidArgument, "%s has %q at byte %d; allowed are printable ASCII characters but . * > and space", name, c, i)
		}
	}
	return nil
}

// CheckType checks that an event type can stand in a subject and in a Standard Webhook: tokens of A-Z a-z 0-9 _ -
// joined by dots, at most [MaxTypeLength] bytes. The error is of code invalid_argument.
func CheckType(eventType string) error {
	if eventType == "" {
		return Errorf(CodeInvalidArgument, "the event has no type")
	}
	if len(eventType) > MaxTypeLength {
		return Errorf(CodeInvalidArgument, "the event type has %d bytes; at most %d are allowed", len(eventType), MaxTypeLength)
	}
	start := true
	for i := range len(eventType) {
		c := eventType[i]
		switch {
		case c == '.' && !start:
			start = true
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-':
			start = false
		default:
			return Errorf(CodeInvalidArgument, "the event type has %q at byte %d; it is made of A-Z a-z 0-9 _ - in parts joined by single dots", c, i)
		}
	}
	if start {
		return Errorf(CodeInvalidArgument, "the event type ends in a dot")
	}
	return nil
}
