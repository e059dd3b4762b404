package registry

import (
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Decode reads body into v, strictly: a field that v does not have, one that is there twice, and one whose name is written
// in other letters is an error of code invalid_argument that names it. What is accepted is never ignored.
func Decode(body []byte, v any) error {
	if err := events.CheckJSON(body); err != nil {
		return err
	}
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if ok && errors.Is(err, json.ErrUnknownName) {
		return events.Errorf(events.CodeInvalidArgument, "there is no field %s", field(string(semantic.JSONPointer)))
	}
	// The usual decoder words everything else, and has no objection to a name that is there twice.
	if plain := events.DecodeJSON(body, v); plain != nil {
		return plain
	}
	return events.Errorf(events.CodeInvalidArgument, "a name is there twice in an object")
}

// field writes a JSON pointer as people write fields: "/rate_limit/burst" is rate_limit.burst.
func field(pointer string) string {
	const most = 80
	text := []byte(pointer)
	if len(text) > 0 && text[0] == '/' {
		text = text[1:]
	}
	for i, c := range text {
		switch {
		case c == '/':
			text[i] = '.'
		case c <= ' ' || c > '~':
			text[i] = '?'
		}
	}
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
