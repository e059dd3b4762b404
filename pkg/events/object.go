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

// nameOf returns the text of a name, for those of attributes, and of most requests, without asking for memory.
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
	case "model":
		return "model"
	case "messages":
		return "messages"
	case "role":
		return "role"
	case "content":
		return "content"
	case "stream":
		return "stream"
	case "temperature":
		return "temperature"
	case "max_tokens":
		return "max_tokens"
	case "max_completion_tokens":
		return "max_completion_tokens"
	default:
		return string(name)
	}
}
