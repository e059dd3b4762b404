package events

import (
	"bytes"
	"encoding/json"
	"math"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// BusSource is the source of an event whose publisher named none.
const BusSource = "/mlsdm/bus"

// Stored says where a stream keeps a message. It fills in the id and the time that a publisher left out.
type Stored struct {
	Stream   string
	Sequence uint64
	Time     time.Time
}

// FromMessage reads an event in any of the three forms that the contract accepts: a structured CloudEvent, a binary one
// (ce- headers), or bare data, whose type is given by the subject. Without a content type, a JSON object that has
// "specversion" is a whole event, other JSON is data, other UTF-8 is data of type text/plain. A type that contradicts the
// subject, and everything that [Event.Validate] refuses, is an [Error] of code invalid_argument.
func FromMessage(s Subjects, subject string, header map[string][]string, body []byte, stored Stored) (Event, error) {
	subjectType, ok := s.EventType(subject)
	if !ok {
		return Event{}, Errorf(CodeInvalidArgument, "%q is not an event subject; events are published on %s", truncate(subject, 200), s.Event("<type>"))
	}
	if len(body) > MaxBody {
		return Event{}, Errorf(CodeInvalidArgument, "the body has %d bytes; at most %d are allowed", len(body), MaxBody)
	}
	ev, err := readForm(header, body)
	if err != nil {
		return Event{}, err
	}
	if ev.Type == "" {
		ev.Type = subjectType
	}
	if ev.Type != subjectType {
		return Event{}, Errorf(CodeInvalidArgument, "the event's type %q contradicts its subject, which says %q",
			truncate(ev.Type, MaxTypeLength), truncate(subjectType, MaxTypeLength))
	}
	fillIn(&ev, header, stored)
	return ev, ev.Validate()
}

// readForm tells the three forms apart.
func readForm(header map[string][]string, body []byte) (Event, error) {
	contentType := HeaderValue(header, HeaderContentType)
	media := ""
	if contentType != "" {
		var err error
		if media, _, err = mime.ParseMediaType(contentType); err != nil {
			return Event{}, Errorf(CodeInvalidArgument, "the Content-Type %q is not a media type", truncate(contentType, 80))
		}
	}
	switch {
	case media == ContentTypeCloudEvent:
		return parseStructured(body)
	case HeaderValue(header, HeaderCloudEventPrefix+"specversion") != "":
		return parseBinary(header, contentType, body)
	case media != "":
		return Event{DataContentType: contentType, Data: bytes.Clone(body)}, nil
	case len(body) == 0:
		return Event{}, nil
	}
	if err := CheckText(body); err != nil {
		return Event{}, err
	}
	jsonErr := CheckJSON(body)
	if jsonErr != nil {
		if json.Valid(body) { // JSON, but beyond a limit: not to be taken for text
			return Event{}, jsonErr
		}
		return Event{DataContentType: ContentTypeText, Data: bytes.Clone(body)}, nil
	}
	var probe struct {
		SpecVersion *json.RawMessage `json:"specversion"`
	}
	if json.Unmarshal(body, &probe) == nil && probe.SpecVersion != nil {
		return parseStructured(body)
	}
	return Event{DataContentType: ContentTypeJSON, Data: bytes.Clone(body)}, nil
}

// ParseStructured reads a structured CloudEvent and validates it.
func ParseStructured(body []byte) (Event, error) {
	ev, err := parseStructured(body)
	if err != nil {
		return Event{}, err
	}
	return ev, ev.Validate()
}

// UnmarshalJSON implements [json.Unmarshaler] for the structured form.
func (ev *Event) UnmarshalJSON(body []byte) error {
	parsed, err := ParseStructured(body)
	if err != nil {
		return err
	}
	*ev = parsed
	return nil
}

// parseStructured reads the JSON form without validating the event.
func parseStructured(body []byte) (Event, error) {
	var env envelope
	if err := DecodeJSON(body, &env); err != nil {
		return Event{}, err
	}
	if env.SpecVersion != SpecVersion {
		return Event{}, Errorf(CodeInvalidArgument, "specversion is %q; only %q is understood", truncate(env.SpecVersion, 20), SpecVersion)
	}
	ev := Event{
		ID: env.ID, Source: env.Source, Type: env.Type, Subject: env.Subject, DataContentType: env.DataContentType,
		DataSchema: env.DataSchema, TraceParent: env.TraceParent, TraceState: env.TraceState,
	}
	if env.Time != "" {
		t, err := parseTime(env.Time)
		if err != nil {
			return Event{}, err
		}
		ev.Time = t
	}
	if err := ev.setData(env); err != nil {
		return Event{}, err
	}
	return ev, ev.setExtensions(body)
}

// setData takes the data from whichever of the two members holds it.
func (ev *Event) setData(env envelope) error {
	if len(env.Data) > 0 && env.DataBase64 != nil {
		return Errorf(CodeInvalidArgument, `"data" and "data_base64" exclude each other`)
	}
	switch {
	case env.DataBase64 != nil:
		ev.Data = env.DataBase64
	case len(env.Data) == 0 || bytes.Equal(env.Data, []byte("null")):
	case !ev.isJSON() && env.Data[0] == '"': // a text, or bytes that someone wrote as one
		var text string
		if err := json.Unmarshal(env.Data, &text); err != nil {
			return Errorf(CodeInvalidArgument, "data is not a valid string: %w", err)
		}
		ev.Data = []byte(text)
	case ev.isJSON():
		ev.Data = env.Data
	default:
		return Errorf(CodeInvalidArgument, "data of type %s must be a JSON string, or data_base64", truncate(ev.DataContentType, 80))
	}
	return nil
}

// setExtensions collects the members that are no attribute of their own.
func (ev *Event) setExtensions(body []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return notJSON(body, err)
	}
	for name, raw := range members {
		if reservedAttribute(name) || bytes.Equal(raw, []byte("null")) {
			continue
		}
		value, err := extensionValue(name, raw)
		if err != nil {
			return err
		}
		if ev.Extensions == nil {
			ev.Extensions = make(map[string]any)
		}
		ev.Extensions[name] = value
	}
	return nil
}

// extensionValue reads one of the three JSON types that an extension may have.
func extensionValue(name string, raw json.RawMessage) (any, error) {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, Errorf(CodeInvalidArgument, "the extension attribute %q is not valid: %w", truncate(name, 80), err)
	}
	switch v := value.(type) {
	case string, bool:
		return v, nil
	case float64:
		if v == math.Trunc(v) && v >= math.MinInt32 && v <= math.MaxInt32 {
			return int32(v), nil
		}
	}
	return nil, Errorf(CodeInvalidArgument, "the extension attribute %q must be a string, a boolean or a 32-bit integer", truncate(name, 80))
}

// parseBinary reads the attributes from ce- headers, percent-decoded as the NATS protocol binding says.
func parseBinary(header map[string][]string, contentType string, body []byte) (Event, error) {
	ev := Event{DataContentType: contentType}
	if len(body) > 0 {
		ev.Data = bytes.Clone(body)
	}
	for key, values := range header {
		name := strings.ToLower(key)
		if !strings.HasPrefix(name, HeaderCloudEventPrefix) || len(values) == 0 {
			continue
		}
		name = strings.TrimPrefix(name, HeaderCloudEventPrefix)
		value, err := url.PathUnescape(values[0])
		if err != nil {
			return Event{}, Errorf(CodeInvalidArgument, "the header %s is not percent-encoded correctly", truncate(key, 80))
		}
		if err := ev.setAttribute(name, value); err != nil {
			return Event{}, err
		}
	}
	return ev, nil
}

// setAttribute sets one attribute by its CloudEvents name.
func (ev *Event) setAttribute(name, value string) error {
	switch name {
	case "specversion":
		if value != SpecVersion {
			return Errorf(CodeInvalidArgument, "ce-specversion is %q; only %q is understood", truncate(value, 20), SpecVersion)
		}
	case "id":
		ev.ID = value
	case "source":
		ev.Source = value
	case "type":
		ev.Type = value
	case "subject":
		ev.Subject = value
	case "time":
		t, err := parseTime(value)
		if err != nil {
			return err
		}
		ev.Time = t
	case "datacontenttype":
		ev.DataContentType = value
	case "dataschema":
		ev.DataSchema = value
	case "traceparent":
		ev.TraceParent = value
	case "tracestate":
		ev.TraceState = value
	default:
		if ev.Extensions == nil {
			ev.Extensions = make(map[string]any)
		}
		ev.Extensions[name] = value
	}
	return nil
}

// fillIn adds what the publisher left out.
func fillIn(ev *Event, header map[string][]string, stored Stored) {
	if ev.ID == "" {
		ev.ID = HeaderValue(header, HeaderMsgID)
	}
	if ev.ID == "" {
		ev.ID = StoredID(stored)
	}
	if ev.Source == "" {
		ev.Source = BusSource
	}
	if ev.Time.IsZero() {
		ev.Time = stored.Time.UTC()
	}
	if ev.TraceParent == "" {
		ev.TraceParent = HeaderValue(header, HeaderTraceParent)
		ev.TraceState = HeaderValue(header, HeaderTraceState)
	}
}

// parseTime reads an RFC 3339 time.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, Errorf(CodeInvalidArgument, "time %s is not RFC 3339, like 2026-01-31T12:00:00Z", strconv.Quote(truncate(s, 40)))
	}
	return t, nil
}
