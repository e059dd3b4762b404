package events

import (
	"encoding/json"
	"strings"
)

// ParseEmbeddingsRequest reads a request on the embed subjects: in one pass, where [DecodeJSON] needs several. It does not call
// Validate. Errors are an [Error] of code invalid_argument.
func ParseEmbeddingsRequest(body []byte) (EmbeddingsRequest, error) {
	return parseEmbeddingsRequest(body, MaxBody, DecodeJSON)
}

// ParseDurableEmbeddingsRequest is ParseEmbeddingsRequest for a durable request, which may have [MaxDurableBody] bytes.
func ParseDurableEmbeddingsRequest(body []byte) (EmbeddingsRequest, error) {
	return parseEmbeddingsRequest(body, MaxDurableBody, DecodeDurableJSON)
}

func parseEmbeddingsRequest(body []byte, most int, slow func([]byte, any) error) (EmbeddingsRequest, error) {
	var r EmbeddingsRequest
	if len(body) <= most {
		var room [usualFields]member
		if members, ok := scanObject(room[:0], body, MaxDepth); ok {
			return r, r.fromMembers(members)
		}
	}
	return r, slow(body, &r) // which has the words for what is wrong
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *EmbeddingsRequest) UnmarshalJSON(b []byte) error {
	var room [usualFields]member
	members, ok := scanObject(room[:0], b, maxDecoderDepth)
	if !ok { // no object: the words of encoding/json
		type fields EmbeddingsRequest
		return json.Unmarshal(b, (*fields)(r))
	}
	return r.fromMembers(members)
}

// fromMembers reads the fields of a request; names count as they are written.
func (r *EmbeddingsRequest) fromMembers(members object) error {
	*r = EmbeddingsRequest{}
	for _, m := range members {
		if isNull(m.raw) && m.name != "input" { // null means absent
			continue
		}
		if err := r.setField(m); err != nil {
			return err
		}
	}
	return nil
}

// setField sets one field. What is no field of ours is passed over.
func (r *EmbeddingsRequest) setField(m member) error {
	switch m.name {
	case "model":
		return readText(&r.Model, m)
	case "input":
		r.Input, r.Tokens = nil, nil // of several, the last counts
		if ofTokens(m.raw) {
			return r.Tokens.read(m.raw)
		}
		return r.Input.read(m.raw)
	case "dimensions":
		var n *int
		if err := readField(&n, m); err != nil {
			return err
		}
		r.Dimensions = *n
		return nil
	case "encoding_format":
		return readText(&r.EncodingFormat, m)
	case "user":
		return readText(&r.User, m)
	case "input_type":
		return readText(&r.InputType, m)
	case "truncate":
		return readText(&r.Truncate, m)
	case "allow_other_space":
		return readField(&r.AllowOtherSpace, m)
	}
	for _, field := range [...]string{"model", "input", "dimensions", "encoding_format", "user", "input_type", "truncate", "allow_other_space"} {
		if strings.EqualFold(m.name, field) {
			return Errorf(CodeInvalidArgument, "%q is not a field; write %q", truncate(m.name, 40), field)
		}
	}
	return nil
}

// read reads one string or a list of strings out of JSON that is valid. What is neither is left to UnmarshalJSON, which has the words.
func (t *TextInput) read(raw []byte) error {
	if raw[0] == '"' {
		text, err := stringMember("input", raw)
		*t = TextInput{text}
		return err
	}
	if raw[0] != '[' {
		return t.UnmarshalJSON(raw)
	}
	const few = 8
	list := make([]string, 0, few)
	i, more := scanFirst(raw, 0, ']')
	for more {
		end := scanValue(raw, i, maxDecoderDepth)
		if raw[i] != '"' {
			return t.UnmarshalJSON(raw)
		}
		text, err := stringMember("input", raw[i:end])
		if err != nil {
			return err
		}
		list = append(list, text)
		i, more = scanNext(raw, end, ']')
	}
	*t = list
	return nil
}
