package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxID bounds a name, in bytes.
const maxID = 4 << 10

// errNotUTF8 is the fault of a line in another encoding. Reading it all the same would change the text without a word.
var errNotUTF8 = errors.New("the line is not valid UTF-8")

// parse takes a line apart.
func (f Format) parse(line []byte) (id json.RawMessage, text string, err error) {
	if !utf8.Valid(line) {
		return nil, "", errNotUTF8
	}
	if !f.JSONL {
		return nil, string(line), nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil || object == nil {
		return nil, "", errors.New("the line is no JSON object")
	}
	if f.IDField != "" {
		if id, err = f.id(object); err != nil {
			return nil, "", err
		}
	}
	raw, ok := object[f.Field]
	if !ok {
		return id, "", missing(f.Field, "--field", object)
	}
	if err := json.Unmarshal(raw, &text); err != nil || raw[0] != '"' {
		return id, "", fmt.Errorf("field %q is no string", f.Field)
	}
	if text == "" {
		return id, "", fmt.Errorf("field %q is empty", f.Field)
	}
	return id, text, nil
}

// id is what names the text.
func (f Format) id(object map[string]json.RawMessage) (json.RawMessage, error) {
	raw, ok := object[f.IDField]
	switch {
	case !ok:
		return nil, missing(f.IDField, "--id-field", object)
	case len(raw) > maxID:
		return nil, fmt.Errorf("field %q has %d bytes; at most %d are a name", f.IDField, len(raw), maxID)
	case raw[0] != '"' && raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return nil, fmt.Errorf("field %q is neither a string nor a number", f.IDField)
	}
	return bytes.Clone(raw), nil
}

// missing says which fields there are.
func missing(field, flag string, object map[string]json.RawMessage) error {
	names := slices.Sorted(maps.Keys(object))
	if len(names) == 0 {
		return fmt.Errorf("there is no field %q: the object is empty", field)
	}
	shown := names[:min(len(names), 8)]
	more := ""
	if len(names) > len(shown) {
		more = " …"
	}
	return fmt.Errorf("there is no field %q, only %s%s; %s chooses another", field, strings.Join(shown, ", "), more, flag)
}
