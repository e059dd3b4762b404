package events

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of the contract.
const (
	// MaxBody is the largest event or request body that may be published, in bytes.
	MaxBody = 1 << 20
	// MaxDurableBody is the largest body of a durable embeddings request, in bytes. The server's max_payload may be smaller.
	MaxDurableBody = 8 << 20
	// MaxDepth is the deepest nesting of JSON arrays and objects, in a request or in the data of an event.
	MaxDepth = 64
	// MaxTypeLength is the longest event type, in bytes.
	MaxTypeLength = 128
	// MaxIDLength is the longest event id or request id, in bytes.
	MaxIDLength = 128
	// MaxAttributeLength bounds every other CloudEvents attribute, in bytes.
	MaxAttributeLength = 1024
)

// limits bound one JSON text, and name it in errors.
type limits struct {
	what        string
	size, depth int
}

// bodyLimits bound a request or an event as it is published.
func bodyLimits() limits { return limits{"the body", MaxBody, MaxDepth} }

// dataLimits bound the data of an event.
func dataLimits() limits { return limits{"the data", MaxBody, MaxDepth} }

// check checks size, UTF-8 and depth, but not that the text is JSON: whoever decodes it next sees that.
func (l limits) check(body []byte) error {
	if err := l.checkText(body); err != nil {
		return err
	}
	if at := deeperThan(body, l.depth); at >= 0 {
		return Errorf(CodeInvalidArgument, "%s nests deeper than %d levels at byte %d", l.what, l.depth, at)
	}
	return nil
}

// checkText checks size and UTF-8.
func (l limits) checkText(body []byte) error {
	if len(body) > l.size {
		return Errorf(CodeInvalidArgument, "%s has %d bytes; at most %d are allowed", l.what, len(body), l.size)
	}
	if !utf8.Valid(body) {
		return Errorf(CodeInvalidArgument, "%s is not valid UTF-8 at byte %d", l.what, invalidUTF8At(body))
	}
	return nil
}

// checkJSON checks all of it.
func (l limits) checkJSON(body []byte) error {
	if len(body) <= l.size && validJSON(body, l.depth) {
		return nil
	}
	if err := l.check(body); err != nil {
		return err
	}
	if json.Valid(body) {
		return nil
	}
	var raw json.RawMessage
	return notJSON(l.what, body, json.Unmarshal(body, &raw))
}

// CheckJSON checks that body is one JSON value within the limits: at most [MaxBody] bytes, valid UTF-8, at most
// [MaxDepth] deep, nothing behind it. Every violation is an [Error] of code invalid_argument that says what and where.
func CheckJSON(body []byte) error { return bodyLimits().checkJSON(body) }

// CheckText checks size and UTF-8 only.
func CheckText(body []byte) error { return bodyLimits().checkText(body) }

// deeperThan returns the offset at which body nests deeper than limit, or -1. It looks at brackets outside of strings
// only, so that it bounds the depth before any decoder recurses.
func deeperThan(body []byte, limit int) int {
	depth, inString, escaped := 0, false, false
	for i, c := range body {
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}

// DecodeJSON checks body as [CheckJSON] does and decodes it into v. Errors are an [Error] of code invalid_argument, or
// the [Error] that one of v's own unmarshalers returned. They quote no more of the body than a number or a word.
func DecodeJSON(body []byte, v any) error {
	if err := bodyLimits().check(body); err != nil {
		return err
	}
	return decodeError("", body, json.Unmarshal(body, v))
}

// DecodeDurableJSON is [DecodeJSON] for a durable embeddings request, which may have [MaxDurableBody] bytes.
func DecodeDurableJSON(body []byte, v any) error {
	if err := (limits{"the body", MaxDurableBody, MaxDepth}).check(body); err != nil {
		return err
	}
	return decodeError("", body, json.Unmarshal(body, v))
}

// decodeError words what encoding/json has against a field, or against the whole body where there is no name.
func decodeError(field string, body []byte, err error) error {
	if err == nil {
		return nil
	}
	var (
		own     *Error
		wrong   *json.UnmarshalTypeError
		badTime *time.ParseError
		badData base64.CorruptInputError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &wrong):
		where := strings.Trim(field+"."+wrong.Field, ".")
		if where == "" {
			where = "the body"
		}
		return Errorf(CodeInvalidArgument, "%s must be %s, not a JSON %s", truncate(where, 200), kindName(wrong.Type.Kind().String()), truncate(wrong.Value, 40))
	case errors.As(err, &badTime):
		return Errorf(CodeInvalidArgument, "the time %s is not RFC 3339, like 2026-01-31T12:00:00Z", truncate(badTime.Value, 40))
	case errors.As(err, &badData):
		return Errorf(CodeInvalidArgument, "a field that must be standard base64 is not: %w", err)
	default:
		return notJSON("the body", body, err)
	}
}

// notJSON words a syntax error with its place.
func notJSON(what string, body []byte, err error) *Error {
	if len(bytes.TrimSpace(body)) == 0 {
		return Errorf(CodeInvalidArgument, "%s is empty; a JSON object is expected", what)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return Errorf(CodeInvalidArgument, "%s is not JSON at byte %d: %w", what, syntax.Offset, err)
	}
	return Errorf(CodeInvalidArgument, "%s is not JSON: %w", what, err)
}

// kindName says a Go kind in JSON's words.
func kindName(kind string) string {
	switch {
	case kind == "struct" || kind == "map":
		return "an object"
	case kind == "slice" || kind == "array":
		return "a list"
	case kind == "string":
		return "a string"
	case kind == "bool":
		return "true or false"
	case strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint"):
		return "a whole number in range"
	case strings.HasPrefix(kind, "float"):
		return "a number in range"
	default:
		return "a " + kind
	}
}

// invalidUTF8At returns the offset of the first byte that is not part of valid UTF-8.
func invalidUTF8At(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// truncate shortens s to at most n bytes, on a rune boundary, and marks the cut.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(n-len("…"), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
