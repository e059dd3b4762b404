package events

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// envelope is the structured JSON form of an event, without its extensions
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
type envelope struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            string          `json:"time,omitempty"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	DataSchema      string          `json:"dataschema,omitempty"`
	TraceParent     string          `json:"traceparent,omitempty"`
	TraceState      string          `json:"tracestate,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
	DataBase64      []byte          `json:"data_base64,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: the structured form, the only one that we write. JSON data stands as it is,
// text as a JSON string, everything else as base64.
func (ev Event) MarshalJSON() ([]byte, error) {
	if err := ev.Validate(); err != nil {
		return nil, err
	}
	env := envelope{
		SpecVersion: SpecVersion, ID: ev.ID, Source: ev.Source, Type: ev.Type, Subject: ev.Subject,
		DataContentType: ev.DataContentType, DataSchema: ev.DataSchema, TraceParent: ev.TraceParent, TraceState: ev.TraceState,
	}
	if !ev.Time.IsZero() {
		env.Time = ev.Time.UTC().Format(time.RFC3339Nano)
	}
	switch {
	case len(ev.Data) == 0:
	case ev.isJSON():
		env.Data = ev.Data
	case ev.isText():
		text, err := json.Marshal(string(ev.Data))
		if err != nil {
			return nil, Errorf(CodeInvalidArgument, "the data cannot be written as a JSON string: %w", err)
		}
		env.Data = text
	default:
		env.DataBase64 = ev.Data
	}
	out, err := json.Marshal(env)
	if err != nil {
		return nil, Errorf(CodeInvalidArgument, "the event cannot be written as JSON: %w", err)
	}
	if len(ev.Extensions) == 0 {
		return out, nil
	}
	var b bytes.Buffer
	b.Write(out[:len(out)-1])
	for _, name := range slices.Sorted(maps.Keys(ev.Extensions)) {
		value, err := json.Marshal(ev.Extensions[name])
		if err != nil {
			return nil, Errorf(CodeInvalidArgument, "the extension attribute %q cannot be written as JSON: %w", name, err)
		}
		b.WriteString(`,"` + name + `":`)
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Message returns the event as a message: the subject to publish it on, its headers and its body, which is the
// structured form. It returns the event's own validation error, and one when the whole is larger than [MaxBody].
func (ev Event) Message(s Subjects) (subject string, header map[string][]string, body []byte, err error) {
	body, err = ev.MarshalJSON()
	if err != nil {
		return "", nil, nil, err
	}
	if len(body) > MaxBody {
		return "", nil, nil, Errorf(CodeInvalidArgument, "the event has %d bytes; at most %d are allowed", len(body), MaxBody)
	}
	header = map[string][]string{
		HeaderMsgID:       {ev.ID},
		HeaderContentType: {ContentTypeCloudEvent},
	}
	if ev.TraceParent != "" {
		header[HeaderTraceParent] = []string{ev.TraceParent}
		if ev.TraceState != "" {
			header[HeaderTraceState] = []string{ev.TraceState}
		}
	}
	return s.Event(ev.Type), header, body, nil
}
