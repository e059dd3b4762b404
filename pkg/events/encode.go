package events

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"
)

// MarshalJSON implements [json.Marshaler]: the structured form (JSON format of CloudEvents 1.0), the only one that we
// write. JSON data stands as it is but for white space, text as a JSON string, everything else as base64.
func (ev Event) MarshalJSON() ([]byte, error) {
	if err := ev.checkAttributes(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(ev.Data) + 512)
	b.WriteString(`{"specversion":"` + SpecVersion + `"`)
	writeMember(&b, "id", ev.ID)
	writeMember(&b, "source", ev.Source)
	writeMember(&b, "type", ev.Type)
	writeMember(&b, "subject", ev.Subject)
	if !ev.Time.IsZero() {
		writeMember(&b, "time", ev.Time.UTC().Format(time.RFC3339Nano))
	}
	writeMember(&b, "datacontenttype", ev.DataContentType)
	writeMember(&b, "dataschema", ev.DataSchema)
	writeMember(&b, "traceparent", ev.TraceParent)
	writeMember(&b, "tracestate", ev.TraceState)
	if err := ev.writeData(&b); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(ev.Extensions)) {
		switch v := ev.Extensions[name].(type) { // checkAttributes has seen that there are no others
		case string:
			b.WriteString(`,"` + name + `":`)
			writeString(&b, v)
		case bool:
			b.WriteString(`,"` + name + `":` + strconv.FormatBool(v))
		case int32:
			b.WriteString(`,"` + name + `":` + strconv.Itoa(int(v)))
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// writeData writes the data in the form that its content type asks for, and checks it on the way.
func (ev Event) writeData(b *bytes.Buffer) error {
	switch {
	case len(ev.Data) == 0:
	case ev.isJSON():
		if err := dataLimits().checkJSON(ev.Data); err != nil {
			return err
		}
		b.WriteString(`,"data":`)
		writeCompact(b, ev.Data)
	case ev.isText():
		if err := ev.checkData(); err != nil {
			return err
		}
		b.WriteString(`,"data":`)
		writeString(b, string(ev.Data))
	default:
		if err := ev.checkData(); err != nil {
			return err
		}
		b.WriteString(`,"data_base64":"`)
		b.Write(base64.StdEncoding.AppendEncode(b.AvailableBuffer(), ev.Data))
		b.WriteByte('"')
	}
	return nil
}

// writeCompact writes valid JSON without its white space.
func writeCompact(b *bytes.Buffer, data []byte) {
	start := 0
	for i := 0; i < len(data); {
		switch data[i] {
		case '"':
			i = scanString(data, i)
		case ' ', '\n', '\r', '\t':
			b.Write(data[start:i])
			i++
			start = i
		default:
			i++
		}
	}
	b.Write(data[start:])
}

// writeMember writes one string member, unless it is empty.
func writeMember(b *bytes.Buffer, name, value string) {
	if value == "" {
		return
	}
	b.WriteString(`,"` + name + `":`)
	writeString(b, value)
}

// writeString writes what appendString appends.
func writeString(b *bytes.Buffer, s string) {
	b.Grow(len(s) + 2) // its quotes
	b.Write(appendString(b.AvailableBuffer(), s))
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
