package events

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// SpecVersion is the version of CloudEvents that we write and read.
const SpecVersion = "1.0"

// Event is a CloudEvent 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
type Event struct {
	// ID is unique within Source; it is the message's Nats-Msg-Id. 1 to [MaxIDLength] bytes without control characters.
	ID string
	// Source names the service that publishes, a URI reference such as "/mlsdm/ciwatch".
	Source string
	// Type says what happened, for example "ci.degraded"; see [CheckType].
	Type string
	// Subject says what it is about, for example "neuron7x/mlsdm". Optional.
	Subject string
	// Time is when it happened.
	Time time.Time
	// DataContentType is the media type of Data; empty means application/json.
	DataContentType string
	// DataSchema is the URI of the schema that Data follows. Optional.
	DataSchema string
	// Data is the payload, in the form that DataContentType says; nil when there is none.
	Data []byte
	// TraceParent and TraceState are the distributed-tracing extension: W3C Trace Context of whoever caused the event.
	TraceParent string
	TraceState  string
	// Extensions are further attributes: lower-case letters and digits to a string, bool or int32.
	Extensions map[string]any
}

// Payload is the data of one event type of the catalogue.
type Payload interface {
	// EventType returns the type under which this payload is published.
	EventType() string
	// Validate returns an [Error] of code invalid_argument when a field is missing or out of range.
	Validate() error
}

// New makes an event of payload's type: a fresh UUIDv7 as id, now as time, the payload's schema. It returns the
// payload's own validation error.
func New(source string, payload Payload) (Event, error) {
	if err := payload.Validate(); err != nil {
		return Event{}, err
	}
	data, err := marshalPayload(payload)
	if err != nil {
		return Event{}, Errorf(CodeInvalidArgument, "%s cannot be written as JSON: %w", payload.EventType(), err)
	}
	ev := Event{
		ID: NewID(), Source: source, Type: payload.EventType(), Time: time.Now().UTC(),
		DataContentType: ContentTypeJSON, DataSchema: SchemaURI(payload.EventType()), Data: data,
	}
	return ev, ev.Validate()
}

// marshalPayload writes a payload as JSON. Those that are published for every request write themselves, which is several times as
// fast.
func marshalPayload(payload Payload) ([]byte, error) {
	if p, ok := payload.(RequestProcessed); ok {
		return p.appendJSON(make([]byte, 0, 512)), nil
	}
	return json.Marshal(payload)
}

// Decode reads the payload of ev as T and validates it. An event of another type, or data that does not fit, is an
// [Error] of code invalid_argument. Fields that T does not know are ignored.
func Decode[T Payload](ev Event) (T, error) {
	var payload T
	if ev.Type != payload.EventType() {
		return payload, Errorf(CodeInvalidArgument, "the event is %q, not %q", truncate(ev.Type, MaxTypeLength), payload.EventType())
	}
	if err := DecodeJSON(ev.Data, &payload); err != nil {
		return payload, err
	}
	return payload, payload.Validate()
}

// Validate checks the attributes and that Data is what DataContentType says, within the limits of the contract.
// It returns an [Error] of code invalid_argument that names the attribute.
func (ev Event) Validate() error {
	if err := ev.checkAttributes(); err != nil {
		return err
	}
	return ev.checkData()
}

// checkAttributes checks everything but Data.
func (ev *Event) checkAttributes() error {
	if err := CheckType(ev.Type); err != nil {
		return err
	}
	if err := CheckID("id", ev.ID); err != nil {
		return err
	}
	if ev.Source == "" {
		return Errorf(CodeInvalidArgument, "the event has no source")
	}
	for _, a := range []struct{ name, value string }{
		{"source", ev.Source},
		{"subject", ev.Subject},
		{"dataschema", ev.DataSchema},
		{"datacontenttype", ev.DataContentType},
		{"traceparent", ev.TraceParent},
		{"tracestate", ev.TraceState},
	} {
		if err := checkAttribute(a.name, a.value); err != nil {
			return err
		}
	}
	if !isPlainPath(ev.Source) {
		if _, err := url.Parse(ev.Source); err != nil {
			return Errorf(CodeInvalidArgument, "source %q is not a URI reference", truncate(ev.Source, 80))
		}
	}
	if year := ev.Time.UTC().Year(); year < 1 || year > 9999 {
		return Errorf(CodeInvalidArgument, "time is in the year %d; RFC 3339 knows the years 1 to 9999", year)
	}
	if ev.DataContentType != "" && ev.DataContentType != ContentTypeJSON {
		if _, _, err := mime.ParseMediaType(ev.DataContentType); err != nil {
			return Errorf(CodeInvalidArgument, "datacontenttype %q is not a media type", truncate(ev.DataContentType, 80))
		}
	}
	for name, value := range ev.Extensions {
		if err := checkExtension(name, value); err != nil {
			return err
		}
	}
	return nil
}

// checkData checks Data against DataContentType.
func (ev *Event) checkData() error {
	switch {
	case len(ev.Data) == 0:
		return nil
	case ev.isJSON():
		return dataLimits().checkJSON(ev.Data)
	case ev.isText():
		return dataLimits().checkText(ev.Data)
	case len(ev.Data) > MaxBody:
		return Errorf(CodeInvalidArgument, "the data has %d bytes; at most %d are allowed", len(ev.Data), MaxBody)
	default:
		return nil
	}
}

// isJSON reports whether Data is a JSON value.
func (ev *Event) isJSON() bool {
	if ev.DataContentType == "" || ev.DataContentType == ContentTypeJSON {
		return true
	}
	media, _, err := mime.ParseMediaType(ev.DataContentType)
	return err == nil && (media == ContentTypeJSON || media == "text/json" || strings.HasSuffix(media, "+json"))
}

// isText reports whether Data is text that is no JSON.
func (ev *Event) isText() bool {
	media, _, err := mime.ParseMediaType(ev.DataContentType)
	return err == nil && strings.HasPrefix(media, "text/") && media != "text/json"
}

// CheckID checks an event id: 1 to [MaxIDLength] bytes of UTF-8 without control characters.
// The error, of code invalid_argument, calls it name.
func CheckID(name, id string) error {
	if id == "" {
		return Errorf(CodeInvalidArgument, "%s is empty", name)
	}
	if len(id) > MaxIDLength {
		return Errorf(CodeInvalidArgument, "%s has %d bytes; at most %d are allowed", name, len(id), MaxIDLength)
	}
	return checkAttribute(name, id)
}

// checkAttribute checks length, UTF-8 and control characters of a string attribute.
func checkAttribute(name, value string) error {
	if len(value) > MaxAttributeLength {
		return Errorf(CodeInvalidArgument, "%s has %d bytes; at most %d are allowed", name, len(value), MaxAttributeLength)
	}
	if isPrintable(value) {
		return nil
	}
	if !utf8.ValidString(value) {
		return Errorf(CodeInvalidArgument, "%s is not valid UTF-8", name)
	}
	for i, r := range value {
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return Errorf(CodeInvalidArgument, "%s has a control character at byte %d", name, i)
		}
	}
	return nil
}

// isPrintable reports whether text is printable ASCII, as nearly all attributes are.
func isPrintable(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// checkExtension checks one extension attribute against CloudEvents' naming and type rules.
func checkExtension(name string, value any) error {
	if name == "" || len(name) > 64 {
		return Errorf(CodeInvalidArgument, "the extension attribute %q must have a name of 1 to 64 characters", truncate(name, 80))
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return Errorf(CodeInvalidArgument, "the extension attribute %q may have lower-case letters and digits only", truncate(name, 80))
		}
	}
	if reservedAttribute(name) {
		return Errorf(CodeInvalidArgument, "%q is an attribute of its own, not an extension", name)
	}
	switch v := value.(type) {
	case string:
		return checkAttribute(name, v)
	case bool, int32:
		return nil
	default:
		return Errorf(CodeInvalidArgument, "the extension attribute %q must be a string, a boolean or a 32-bit integer", name)
	}
}

// reservedAttribute reports whether name is a field of Event, or one of the two names of its data.
func reservedAttribute(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64",
		"traceparent", "tracestate":
		return true
	default:
		return false
	}
}

// NewID returns a fresh UUIDv7 (RFC 9562): ids that we make carry their time.
func NewID() string {
	var b [16]byte
	if _, err := rand.Read(b[6:]); err != nil {
		panic("events: the system's random source failed: " + err.Error()) // documented never to happen
	}
	return formatUUIDv7(b, time.Now())
}

// StoredID returns the id of an event that was published without one: the same UUIDv7 for every reader, made from where
// and when the stream stored it.
func StoredID(stored Stored) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d", stored.Stream, stored.Sequence, stored.Time.UnixNano()))
	var b [16]byte
	copy(b[6:], sum[:])
	return formatUUIDv7(b, stored.Time)
}

// formatUUIDv7 puts the time, the version and the variant into b and writes it as text.
func formatUUIDv7(b [16]byte, t time.Time) string {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(t.UnixMilli(), 0)))
	copy(b[:6], ms[2:])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	at := 0
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[at] = '-'
			at++
		}
		at += hex.Encode(text[at:], []byte{c})
	}
	return string(text[:])
}

// isPlainPath reports whether source is a path of plain letters, which is a URI reference as it stands and what most sources are.
func isPlainPath(source string) bool {
	if strings.HasPrefix(source, "//") {
		return false
	}
	for i := range len(source) {
		c := source[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '/' && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
