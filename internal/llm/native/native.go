// Package native reads requests of OpenAI's shape for adapters whose servers have a protocol of their own. What it reads it reads
// strictly: a field that it does not know is refused by its name, since leaving it out would change what is asked for.
package native

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// maxField bounds the name of a field in an error, in bytes.
const maxField = 120

// Reader reads requests for one server. It is safe for concurrent use.
type Reader struct {
	// Server makes the faults.
	Server *wire.Server
	// Vendor is how the server's protocol is called in them, for example "Cohere".
	Vendor string
}

// Strict decodes a part of the request; field is its name. What is of another type than it must be is the caller's mistake, a field
// that out does not have is refused.
func (r *Reader) Strict(field string, raw []byte, out any) error {
	err := json.Unmarshal(raw, out, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	bad, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return r.Server.Invalid("%s is not valid JSON", llm.Bound(field, maxField))
	}
	field = llm.Bound(field+path(bad.JSONPointer), maxField)
	if errors.Is(err, json.ErrUnknownName) {
		return r.Unknown(field)
	}
	return r.Server.Invalid("%s is %s; it must be of another type", field, kind(bad.JSONKind))
}

// Unknown is the fault of a field that the server has nothing like.
func (r *Reader) Unknown(field string) error {
	return r.Server.Refuse(llm.Bound(field, maxField), r.Vendor+" has nothing like it")
}

// At is the name of one entry of a list.
func At(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// Given reports whether an optional part of a request is there: not absent and not null.
func Given(raw []byte) bool { return len(raw) > 0 && string(raw) != "null" }

// path writes a JSON pointer as a program would write what it points to.
func path(pointer jsontext.Pointer) string {
	var b strings.Builder
	for token := range pointer.Tokens() {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			b.WriteString("[" + token + "]")
		} else {
			b.WriteString("." + token)
		}
	}
	return b.String()
}

// kind names a kind of JSON value.
func kind(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	default:
		return "something else"
	}
}
