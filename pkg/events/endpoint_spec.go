package events

import (
	"strconv"
	"time"
)

// Formats of a webhook's body.
const (
	// FormatStandard is that of Standard Webhooks 1.0.0: {"type", "timestamp", "data"}.
	FormatStandard = "standard"
	// FormatCloudEvents is CloudEvents 1.0 in structured mode (application/cloudevents+json).
	FormatCloudEvents = "cloudevents"
	// FormatMLSDM is the JSON of the Python client's WebhookEvent: {"event_type", "timestamp", "data", "source", "event_id"}.
	FormatMLSDM = "mlsdm"
)

// Methods of signing.
const (
	// SignHMAC is Standard Webhooks' v1: HMAC-SHA256 with a secret that both sides know.
	SignHMAC = "v1"
	// SignEd25519 is Standard Webhooks' v1a: ed25519, of which the receiver needs the public key only.
	SignEd25519 = "v1a"
)

// Named retry schedules.
const (
	// RetryFast is that of the Python client: min(2^n, 5) seconds and up to half a second more, three attempts in all.
	RetryFast = "fast"
	// RetryStandard is that of Standard Webhooks: 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each ±20 %.
	RetryStandard = "standard"
)

// Orderings of an endpoint.
const (
	// OrderingNone delivers as fast as the endpoint takes it.
	OrderingNone = "none"
	// OrderingStrict keeps one webhook in flight, in the order of the events stream; nothing passes a waiting one.
	OrderingStrict = "strict"
)

// Bounds of an [EndpointSpec].
const (
	MaxEndpointID          = 64
	MaxEndpointURL         = 2048
	MaxEndpointPatterns    = 64
	MaxEndpointFilter      = 4096
	MaxEndpointHeaders     = 32
	MaxEndpointHeaderValue = 4096
	MaxEndpointKeys        = 8
	MaxEndpointMetadata    = 50
	MaxEndpointText        = 1024
	MaxEndpointPEM         = 64 << 10
	MaxEndpointRetries     = 50
	MaxEndpointConcurrency = 1024
	MaxEndpointRate        = 100_000
	MaxEndpointTimeout     = 5 * time.Minute
	MaxEndpointWait        = 7 * 24 * time.Hour
	MaxKeyOverlap          = 30 * 24 * time.Hour
	DefaultKeyOverlap      = 24 * time.Hour
	DefaultEndpointTimeout = 15 * time.Second
)

// EndpointSpec is a webhook endpoint as an operator describes it. Every field but ID and URL may be left out.
//
// Where a value is a secret, a reference stands: "secret:NAME" is asked for at secretd under the dispatcher's name,
// "env:NAME" is read from the dispatcher's environment. The operator limits which names may be used.
type EndpointSpec struct {
	// ID is 1 to 64 of A-Z a-z 0-9 _ -.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=64,pattern=^[A-Za-z0-9_-]+$"`
	// URL is where webhooks are posted to: https, or http where the operator allows it; or a reference to a secret, for URLs
	// that are secrets in themselves.
	URL string `json:"url" jsonschema:"minLength=1,maxLength=2048"`
	// Description is for people.
	Description string `json:"description,omitempty" jsonschema:"maxLength=1024"`
	// Metadata is the operator's own.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Events are patterns over event types, with the NATS wildcards * and >; none is ">".
	Events []string `json:"events,omitempty" jsonschema:"maxItems=64"`
	// Filter is a CEL expression over the event (type, source, subject, id, time, data) that must be true; one that cannot
	// be evaluated, because a field is missing, is not.
	Filter string `json:"filter,omitempty" jsonschema:"maxLength=4096"`
	// Format of the body: standard, cloudevents or mlsdm; standard when it is empty.
	Format string `json:"format,omitempty" jsonschema:"enum=standard,enum=cloudevents,enum=mlsdm"`
	// Headers are sent along with each webhook; a value may be a reference to a secret.
	Headers map[string]string `json:"headers,omitempty"`
	// Signing lists the keys that sign, all at once; none is one generated key of method v1.
	Signing []EndpointSigning `json:"signing,omitempty" jsonschema:"maxItems=8"`
	// BodySignature adds the header X-Webhook-Signature, which signs the body alone and can be replayed: for receivers of the
	// Python client. Format mlsdm implies it.
	BodySignature bool `json:"body_signature,omitempty"`
	// Retry is one name, fast or standard, or the waits between attempts as durations, each ±20 %; standard when it is empty.
	Retry []string `json:"retry,omitempty" jsonschema:"maxItems=50"`
	// Timeout of one attempt, a duration of 1ms to 5m; 15s when it is empty.
	Timeout string `json:"timeout,omitempty"`
	// RateLimit bounds the attempts over time, those of all replicas together; nil is no bound.
	RateLimit *EndpointRate `json:"rate_limit,omitempty"`
	// Concurrency bounds the attempts at one time, those of all replicas together, 1 to 1024; 0 is no bound of its own.
	Concurrency int `json:"concurrency,omitempty" jsonschema:"minimum=0,maximum=1024"`
	// Ordering is none or strict; none when it is empty. It cannot be changed later.
	Ordering string `json:"ordering,omitempty" jsonschema:"enum=none,enum=strict"`
	// TLS is what the connection needs beyond the system's authorities.
	TLS *EndpointTLS `json:"tls,omitempty"`
	// Disabled is the operator's switch: a disabled endpoint gets nothing, and what waits for it goes to dead letters.
	Disabled bool `json:"disabled,omitempty"`
}

// EndpointSigning is one key that signs an endpoint's webhooks.
type EndpointSigning struct {
	// Method is v1 or v1a; v1 when it is empty.
	Method string `json:"method,omitempty" jsonschema:"enum=v1,enum=v1a"`
	// Key is a reference to a secret: of method v1 "whsec_" and base64, or any text; of v1a "whsk_" and base64. Without it a
	// key is generated and kept sealed.
	Key string `json:"key,omitempty"`
}

// EndpointRate bounds attempts over time.
type EndpointRate struct {
	// PerSecond is how many attempts a second, above 0 and at most 100000.
	PerSecond float64 `json:"per_second" jsonschema:"exclusiveMinimum=0,maximum=100000"`
	// Burst is how many may come at once after a pause, at least 1; 1 when it is 0.
	Burst int `json:"burst,omitempty" jsonschema:"minimum=0,maximum=100000"`
}

// EndpointTLS is how an endpoint is spoken to over TLS, of version 1.2 or newer.
type EndpointTLS struct {
	// CA is the authorities that may sign the receiver's certificate, instead of the system's (PEM).
	CA string `json:"ca,omitempty" jsonschema:"maxLength=65536"`
	// Certificate is that of the client, for mutual TLS (PEM).
	Certificate string `json:"certificate,omitempty" jsonschema:"maxLength=65536"`
	// Key is a reference to the client certificate's key (PEM).
	Key string `json:"key,omitempty"`
	// ServerName is the name that the receiver's certificate must have, when it is not the URL's host.
	ServerName string `json:"server_name,omitempty" jsonschema:"maxLength=253"`
}

// CheckEndpointID checks that id is 1 to [MaxEndpointID] of A-Z a-z 0-9 _ -, so that it can be a token of a subject and part
// of a consumer's name. The error is of code invalid_argument.
func CheckEndpointID(id string) error {
	if id == "" || len(id) > MaxEndpointID {
		return Errorf(CodeInvalidArgument, "id has %d bytes; it must have 1 to %d", len(id), MaxEndpointID)
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return Errorf(CodeInvalidArgument, "id has %q at byte %d; it is made of A-Z a-z 0-9 _ -", c, i)
		}
	}
	return nil
}

// Validate checks everything that needs no look at the outside: the bounds and the closed sets. What the URL, the patterns,
// the filter and the references say is the dispatcher's to judge.
func (s EndpointSpec) Validate() error {
	return firstError(
		CheckEndpointID(s.ID), required("url", s.URL), s.checkSizes(), s.checkRetry(), s.checkSigning(),
		oneOf("format", s.Format, "", FormatStandard, FormatCloudEvents, FormatMLSDM),
		oneOf("ordering", s.Ordering, "", OrderingNone, OrderingStrict),
		checkDuration("timeout", s.Timeout, time.Millisecond, MaxEndpointTimeout),
		inRange("concurrency", float64(s.Concurrency), 0, MaxEndpointConcurrency), s.RateLimit.check(), s.TLS.check(),
	)
}

func (s EndpointSpec) checkSizes() error {
	if err := firstError(
		atMost("url", len(s.URL), MaxEndpointURL), atMost("description", len(s.Description), MaxEndpointText),
		atMost("filter", len(s.Filter), MaxEndpointFilter), countAtMost("metadata", len(s.Metadata), MaxEndpointMetadata),
		countAtMost("events", len(s.Events), MaxEndpointPatterns), countAtMost("headers", len(s.Headers), MaxEndpointHeaders),
	); err != nil {
		return err
	}
	for name, value := range s.Metadata {
		if err := firstError(atMost("a name in metadata", len(name), MaxIDLength), atMost("a value in metadata", len(value), MaxEndpointText)); err != nil {
			return err
		}
	}
	for name, value := range s.Headers {
		if err := firstError(atMost("the name of a header", len(name), MaxIDLength), atMost("header "+truncate(name, 40), len(value), MaxEndpointHeaderValue)); err != nil {
			return err
		}
	}
	return nil
}

func (s EndpointSpec) checkRetry() error {
	if err := countAtMost("retry", len(s.Retry), MaxEndpointRetries); err != nil {
		return err
	}
	if len(s.Retry) == 1 && (s.Retry[0] == RetryFast || s.Retry[0] == RetryStandard) {
		return nil
	}
	for _, wait := range s.Retry {
		if d, err := time.ParseDuration(wait); err != nil || len(wait) > maxDurationText || d < 0 || d > MaxEndpointWait {
			return Errorf(CodeInvalidArgument, "retry has %q; it is fast, or standard, or waits such as 5s and 2h, each at most %s", truncate(wait, 40), MaxEndpointWait)
		}
	}
	return nil
}

func (s EndpointSpec) checkSigning() error {
	if err := countAtMost("signing", len(s.Signing), MaxEndpointKeys); err != nil {
		return err
	}
	for _, key := range s.Signing {
		if err := firstError(oneOf("signing.method", key.Method, "", SignHMAC, SignEd25519), atMost("signing.key", len(key.Key), MaxEndpointText)); err != nil {
			return err
		}
	}
	return nil
}

func (r *EndpointRate) check() error {
	if r == nil {
		return nil
	}
	if !(r.PerSecond > 0 && r.PerSecond <= MaxEndpointRate) {
		return Errorf(CodeInvalidArgument, "rate_limit.per_second is %g; it must be above 0 and at most %d", r.PerSecond, MaxEndpointRate)
	}
	return inRange("rate_limit.burst", float64(r.Burst), 0, MaxEndpointRate)
}

func (t *EndpointTLS) check() error {
	if t == nil {
		return nil
	}
	if (t.Certificate == "") != (t.Key == "") {
		return Errorf(CodeInvalidArgument, "tls.certificate and tls.key belong together: give both or none")
	}
	return firstError(
		atMost("tls.ca", len(t.CA), MaxEndpointPEM), atMost("tls.certificate", len(t.Certificate), MaxEndpointPEM),
		atMost("tls.key", len(t.Key), MaxEndpointText), atMost("tls.server_name", len(t.ServerName), 253),
	)
}

// maxDurationText bounds the text of a duration, which may have any number of zeros.
const maxDurationText = 64

// checkDuration checks a duration that may be left out.
func checkDuration(field, value string, least, most time.Duration) error {
	if value == "" {
		return nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || len(value) > maxDurationText {
		return Errorf(CodeInvalidArgument, "%s is %q; it is a duration such as 1.5s or 24h", field, truncate(value, 40))
	}
	if d < least || d > most {
		return Errorf(CodeInvalidArgument, "%s is %s; it must be %s to %s", field, d, least, most)
	}
	return nil
}

// atMost checks the length of a text.
func atMost(field string, bytes, most int) error {
	if bytes > most {
		return Errorf(CodeInvalidArgument, "%s has %s bytes; at most %d are allowed", field, strconv.Itoa(bytes), most)
	}
	return nil
}

// countAtMost checks the length of a list.
func countAtMost(field string, entries, most int) error {
	if entries > most {
		return Errorf(CodeInvalidArgument, "%s has %d entries; at most %d are allowed", field, entries, most)
	}
	return nil
}
