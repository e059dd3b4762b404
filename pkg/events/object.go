package events

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// member is one member of a JSON object: its name, and its value as it is written.
type member struct {
	name string
	raw  []byte
}

// object is the members of a JSON object, each once: of two with one name the last counts, as it does for encoding/json. The
// order is that in which they are written or, of many, that of their names.
type object []member

// get returns the value of a member, or nil.
func (o object) get(name string) []byte {
	for i := range o {
		if o[i].name == name {
			return o[i].raw
		}
	}
	return nil
}

// readObject reads the members of body, which share its memory. It returns false when body is JSON and no object; whether it
// is JSON at all, the caller must have asked. It is twice as fast as encoding/json with a map, and every event that
// passes through a service is read at least once.
func readObject(body []byte) (object, bool) {
	i := skipSpace(body, 0)
	if body[i] != '{' {
		return nil, false
	}
	o := make(object, 0, 12) // an event of ours has ten
	for i = skipSpace(body, i+1); body[i] != '}'; {
		end := stringEnd(body, i)
		name := memberName(body[i:end])
		start := skipSpace(body, skipSpace(body, end)+1) // behind the colon
		i = valueEnd(body, start)
		o = append(o, member{name, body[start:i]})
		if i = skipSpace(body, i); body[i] == ',' {
			i = skipSpace(body, i+1)
		}
	}
	return o.unique(), true
}

// unique removes all but the last of the members that share a name.
func (o object) unique() object {
	const few = 24 // to compare each with each
	if len(o) > few {
		slices.SortStableFunc(o, func(a, b member) int { return strings.Compare(a.name, b.name) })
	}
	unique := o[:0]
	for i, m := range o {
		rest := o[i+1:]
		if len(o) > few {
			rest = rest[:min(1, len(rest))]
		}
		if !slices.ContainsFunc(rest, func(other member) bool { return other.name == m.name }) {
			unique = append(unique, m)
		}
	}
	return unique
}

// memberName reads a name, with its quotes.
func memberName(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return nameOf(quoted[1 : len(quoted)-1])
	}
	var name string
	if json.Unmarshal(quoted, &name) != nil { // not of valid JSON
		return ""
	}
	return name
}

// skipSpace returns the place of the first byte from i on that is no white space.
func skipSpace(body []byte, i int) int {
	for body[i] == ' ' || body[i] == '\t' || body[i] == '\r' || body[i] == '\n' {
		i++
	}
	return i
}

// stringEnd returns the place behind the string that begins at i.
func stringEnd(body []byte, i int) int {
	for i++; body[i] != '"'; i++ {
		if body[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// valueEnd returns the place behind the value that begins at i.
func valueEnd(body []byte, i int) int {
	for depth := 0; ; {
		switch body[i] {
		case '"':
			i = stringEnd(body, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		default: // a number or a word, or what stands between values
			i++
			if depth == 0 {
				for i < len(body) && !endsWord(body[i]) {
					i++
				}
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// endsWord reports whether c stands behind a number or a word.
func endsWord(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ',', '}', ']':
		return true
	default:
		return false
	}
}

// nameOf returns the text of a name, for those of attributes without asking for memory.
func nameOf(name []byte) string {
	switch string(name) {
	case "specversion":
		return "specversion"
	case "id":
		return "id"
	case "source":
		return "source"
	case "type":
		return "type"
	case "subject":
		return "subject"
	case "time":
		return "time"
	case "datacontenttype":
		return "datacontenttype"
	case "dataschema":
		return "dataschema"
	case "data":
		return "data"
	case "traceparent":
		return "traceparent"
	default:
		return string(name)
	}
}
