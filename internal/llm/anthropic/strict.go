package anthropic

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// maxField bounds the name of a field in an error, in bytes.
const maxField = 120

// strict decodes a part of the request: what is of another type than it must be is the caller's mistake, and a field that is not known
// here is refused by its name, for leaving it out would change what is asked for.
func (c *Client) strict(field string, raw []byte, out any) error {
	err := json.Unmarshal(raw, out, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	bad, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return c.server.Invalid("%s is not valid JSON", field)
	}
	field = llm.Bound(field+path(bad.JSONPointer), maxField)
	if errors.Is(err, json.ErrUnknownName) {
		return c.server.Refuse(field, "Anthropic has nothing like it")
	}
	return c.server.Invalid("%s is %s; it must be of another type", field, kind(bad.JSONKind))
}

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
