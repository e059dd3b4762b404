package events

import (
	"encoding/json"
	"math"
	"strconv"
)

// MaxInputTokens is the largest number of token ids of one text.
const MaxInputTokens = 1 << 17

// TokenInput is the texts of an embeddings request as the ids that a model's tokenizer has for them: one list of ids, each 0 or more, for
// each text. In JSON it is a list of integers, which is one text, or a list of such lists; it is written as a list of lists unless it
// holds exactly one text.
type TokenInput [][]int32

// MarshalJSON implements [json.Marshaler].
func (t TokenInput) MarshalJSON() ([]byte, error) {
	const digits = 7 // that an id and its comma have, as a rule
	size := 2
	for _, ids := range t {
		size += 3 + digits*len(ids)
	}
	b := make([]byte, 0, size)
	if len(t) == 1 {
		return appendTokens(b, t[0]), nil
	}
	b = append(b, '[')
	for i, ids := range t {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTokens(b, ids)
	}
	return append(b, ']'), nil
}

// appendTokens writes the ids of one text.
func appendTokens(b []byte, ids []int32) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return append(b, ']')
}

// UnmarshalJSON implements [json.Unmarshaler]. Anything but a list of integers, or of lists of integers, is an [Error] of code
// invalid_argument that says which element it is.
func (t *TokenInput) UnmarshalJSON(b []byte) error {
	i := scanSpace(b, 0)
	if i == len(b) || b[i] != '[' {
		return Errorf(CodeInvalidArgument, "input must be a list of token ids, or a list of such lists")
	}
	return t.read(b[i:])
}

// ofTokens reports whether JSON that is valid begins as lists of token ids do: with a number in a list, or a list in a list.
func ofTokens(raw []byte) bool {
	if raw[0] != '[' {
		return false
	}
	i, more := scanFirst(raw, 0, ']')
	return more && (raw[i] == '[' || raw[i] == '-' || raw[i] >= '0' && raw[i] <= '9')
}

// read reads a list out of JSON that is valid. The ids of all texts lie in one piece of memory.
func (t *TokenInput) read(raw []byte) error {
	i, more := scanFirst(raw, 0, ']')
	if more && raw[i] != '[' { // one text
		ids, _, err := readTokens(nil, raw, 0, "input")
		if err != nil {
			return err
		}
		*t = TokenInput{ids}
		return nil
	}
	var ids []int32
	var ends []int
	for more {
		name := "input[" + strconv.Itoa(len(ends)) + "]"
		if raw[i] != '[' {
			return Errorf(CodeInvalidArgument, "%s is %s among lists of token ids: an input is texts only, or token ids only", name, kindOf(raw[i]))
		}
		var err error
		if ids, i, err = readTokens(ids, raw, i, name); err != nil {
			return err
		}
		ends = append(ends, len(ids))
		i, more = scanNext(raw, i, ']')
	}
	list, from := make(TokenInput, len(ends)), 0
	for n, end := range ends {
		list[n], from = ids[from:end:end], end
	}
	*t = list
	return nil
}

// readTokens reads the ids of one text, which begins at i and is called name, behind others. It returns where it ends.
func readTokens(ids []int32, raw []byte, i int, name string) (all []int32, end int, err error) {
	i, more := scanFirst(raw, i, ']')
	for n := 0; more; n++ {
		if raw[i] != '-' && (raw[i] < '0' || raw[i] > '9') {
			return nil, 0, Errorf(CodeInvalidArgument, "%s[%d] is %s among token ids: an input is texts only, or token ids only", name, n, kindOf(raw[i]))
		}
		end := scanNumber(raw, i)
		if end == bad {
			return nil, 0, Errorf(CodeInvalidArgument, "%s[%d] is no number", name, n)
		}
		id, err := strconv.ParseUint(string(raw[i:end]), 10, 31)
		if err != nil {
			return nil, 0, Errorf(CodeInvalidArgument, "%s[%d] is %s; a token id is a whole number, 0 to %d", name, n, truncate(string(raw[i:end]), 40), math.MaxInt32)
		}
		if n == MaxInputTokens {
			return nil, 0, Errorf(CodeInvalidArgument, "%s has more than %d token ids", name, MaxInputTokens)
		}
		ids = append(ids, int32(id))
		i, more = scanNext(raw, end, ']')
	}
	return ids, i, nil
}

// kindOf names what JSON begins with a byte.
func kindOf(first byte) string {
	switch first {
	case '"':
		return "a text"
	case '[':
		return "a list"
	case '{':
		return "an object"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	default:
		return "a number"
	}
}

// validate checks the texts.
func (t TokenInput) validate() error {
	for i, ids := range t {
		switch {
		case len(ids) == 0:
			return Errorf(CodeInvalidArgument, "input[%d] has no token ids; remove it", i)
		case len(ids) > MaxInputTokens:
			return Errorf(CodeInvalidArgument, "input[%d] has %d token ids; at most %d are one text", i, len(ids), MaxInputTokens)
		}
		for n, id := range ids {
			if id < 0 {
				return Errorf(CodeInvalidArgument, "input[%d][%d] is %d; a token id is a whole number, 0 to %d", i, n, id, math.MaxInt32)
			}
		}
	}
	return nil
}

// MarshalJSON implements [json.Marshaler]: Input and Tokens have one name on the wire.
func (r EmbeddingsRequest) MarshalJSON() ([]byte, error) {
	type fields EmbeddingsRequest
	if r.Tokens == nil {
		return json.Marshal(fields(r))
	}
	return json.Marshal(struct {
		Model string     `json:"model,omitempty"`
		Input TokenInput `json:"input"`
		fields
	}{r.Model, r.Tokens, fields(r)})
}
