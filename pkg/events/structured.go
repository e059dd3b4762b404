package events

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
)

// MaxStructured is the largest structured event that [ParseStructured] reads, in bytes. It is more than may be published
// ([MaxBody]), because an event grows on its way: bare data gets its attributes, bytes become base64.
const MaxStructured = 8 << 20

// maxDecoderDepth is the deepest nesting that encoding/json reads.
const maxDecoderDepth = 10_000

// usualMembers is how many members an event of ours has at the most.
const usualMembers = 12

// maxEventDepth is the deepest nesting of a structured event: its data, one level down.
const maxEventDepth = MaxDepth + 1

// ParseStructured reads a structured CloudEvent (JSON format 1.0) and validates it. Errors are an [Error] of code
// invalid_argument.
func ParseStructured(body []byte) (Event, error) {
	d, err := parseStructured(body)
	if err != nil {
		return Event{}, err
	}
	return d.keep().finish()
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

// parseStructured reads the JSON form.
func parseStructured(body []byte) (draft, error) {
	if len(body) <= MaxStructured {
		var room [usualMembers]member
		if members, ok := scanObject(room[:0], body, maxEventDepth); ok {
			return fromMembers(members)
		}
	}
	if err := (limits{"the event", MaxStructured, maxEventDepth}).checkJSON(body); err != nil {
		return draft{}, err
	}
	return draft{}, Errorf(CodeInvalidArgument, "the event must be a JSON object")
}

// fromMembers makes an event of the members of its JSON object. Their names count as they are written: unlike struct
// fields, "Type" is not "type".
func fromMembers(members object) (draft, error) {
	if isNull(members.get("specversion")) {
		return draft{}, Errorf(CodeInvalidArgument, "the event has no specversion; it must be %q", SpecVersion)
	}
	var d draft
	for _, m := range members { // in their order, so that the same event fails with the same words
		name, raw := m.name, m.raw
		if isNull(raw) || name == "data" || name == "data_base64" {
			continue
		}
		if !reservedAttribute(name) {
			value, err := extensionValue(name, raw)
			if err != nil {
				return draft{}, err
			}
			d.setExtension(name, value)
			continue
		}
		text, err := stringMember(name, raw)
		if err != nil {
			return draft{}, err
		}
		if err := d.setAttribute(name, text); err != nil {
			return draft{}, err
		}
	}
	return d, d.setData(members.get("data"), members.get("data_base64"))
}

// setData takes the data from whichever of the two members holds it.
func (d *draft) setData(data, dataBase64 []byte) error {
	switch {
	case !isNull(data) && !isNull(dataBase64):
		return Errorf(CodeInvalidArgument, `"data" and "data_base64" exclude each other`)
	case !isNull(dataBase64):
		text, err := stringMember("data_base64", dataBase64)
		if err != nil {
			return err
		}
		if d.Data, err = base64.StdEncoding.DecodeString(text); err != nil {
			return Errorf(CodeInvalidArgument, "data_base64 is not standard base64: %w", err)
		}
	case isNull(data):
	case d.isJSON():
		d.Data, d.dataChecked, d.dataShared = data, true, true
	case data[0] == '"': // a text, or bytes that someone wrote as one
		text, err := stringMember("data", data)
		if err != nil {
			return err
		}
		d.Data = []byte(text)
	default:
		return Errorf(CodeInvalidArgument, "data of type %s must be a JSON string, or data_base64", truncate(d.DataContentType, 80))
	}
	return nil
}

// stringMember reads a member that must be a string.
func stringMember(name string, raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", Errorf(CodeInvalidArgument, "%s must be a string", name)
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 { // most are; the body is known to be UTF-8
		return textOf(inner), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", Errorf(CodeInvalidArgument, "%s is not a valid string", name)
	}
	return text, nil
}

// textOf returns a text, for those that most events have without asking for memory.
func textOf(text []byte) string {
	switch string(text) {
	case SpecVersion:
		return SpecVersion
	case ContentTypeJSON:
		return ContentTypeJSON
	default:
		return string(text)
	}
}

// extensionValue reads one of the three JSON types that an extension may have.
func extensionValue(name string, raw []byte) (any, error) {
	switch raw[0] {
	case '"':
		return stringMember(name, raw)
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	var number float64
	if json.Unmarshal(raw, &number) == nil && number == math.Trunc(number) && number >= math.MinInt32 && number <= math.MaxInt32 {
		return int32(number), nil
	}
	return nil, Errorf(CodeInvalidArgument, "the extension attribute %q must be a string, a boolean or a 32-bit integer", truncate(name, 80))
}

// setAttribute sets one attribute by its CloudEvents name; what is no attribute of its own is an extension.
func (d *draft) setAttribute(name, value string) error {
	switch name {
	case "specversion":
		if value != SpecVersion {
			return Errorf(CodeInvalidArgument, "specversion is %q; only %q is understood", truncate(value, 20), SpecVersion)
		}
	case "id":
		d.ID = value
	case "source":
		d.Source = value
	case "type":
		d.Type = value
	case "subject":
		d.Subject = value
	case "time":
		t, err := parseTime(value)
		if err != nil {
			return err
		}
		d.Time = t
	case "datacontenttype":
		d.DataContentType = value
	case "dataschema":
		d.DataSchema = value
	case "traceparent":
		d.TraceParent = value
	case "tracestate":
		d.TraceState = value
	default:
		d.setExtension(name, value)
	}
	return nil
}

// setExtension sets one extension attribute.
func (d *draft) setExtension(name string, value any) {
	if d.Extensions == nil {
		d.Extensions = make(map[string]any)
	}
	d.Extensions[name] = value
}
