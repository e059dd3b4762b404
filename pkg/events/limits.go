package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// Limits of the contract.
const (
	// MaxBody is the largest event or request body, in bytes.
	MaxBody = 1 << 20
	// MaxDepth is the deepest nesting of JSON arrays and objects.
	MaxDepth = 64
	// MaxTypeLength is the longest event type, in bytes.
	MaxTypeLength = 128
	// MaxIDLength is the longest event id or request id, in bytes.
	MaxIDLength = 128
	// MaxAttributeLength bounds every other CloudEvents attribute, in bytes.
	MaxAttributeLength = 1024
)

// CheckJSON checks that body is one JSON value within the limits: at most [MaxBody] bytes, valid UTF-8, at most
// [MaxDepth] deep, nothing behind it. Every violation is an [Error] of code invalid_argument that says what and where.
func CheckJSON(body []byte) error {
	if err := CheckText(body); err != nil {
		return err
	}
	if at := deeperThan(body, MaxDepth); at >= 0 {
		return Errorf(CodeInvalidArgument, "the body nests deeper than %d levels at byte %d", MaxDepth, at)
	}
	if json.Valid(body) {
		return nil
	}
	var raw json.RawMessage
	return notJSON(body, json.Unmarshal(body, &raw))
}

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

// CheckText checks size and UTF-8 only.
func CheckText(body []byte) error {
	if len(body) > MaxBody {
		return Errorf(CodeInvalidArgument, "the body has %d bytes; at most %d are allowed", len(body), MaxBody)
	}
	if !utf8.Valid(body) {
		return Errorf(CodeInvalidArgument, "the body is not valid UTF-8 at byte %d", invalidUTF8At(body))
	}
	return nil
}

// DecodeJSON checks body as [CheckJSON] does and decodes it into v. Errors are an [Error] of code invalid_argument, or
// the [Error] that one of v's own unmarshalers returned.
func DecodeJSON(body []byte, v any) error {
	if err := CheckJSON(body); err != nil {
		return err
	}
	err := json.Unmarshal(body, v)
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		where := wrong.Field
		if where == "" {
			where = "the body"
		}
		return Errorf(CodeInvalidArgument, "%s must be %s, not a JSON %s", where, kindName(wrong.Type.Kind().String()), wrong.Value)
	}
	return notJSON(body, err)
}

// notJSON words a syntax error with its place.
func notJSON(body []byte, err error) *Error {
	if len(bytes.TrimSpace(body)) == 0 {
		return Errorf(CodeInvalidArgument, "the body is empty; a JSON object is expected")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return Errorf(CodeInvalidArgument, "the body is not JSON at byte %d: %w", syntax.Offset, err)
	}
	return Errorf(CodeInvalidArgument, "the body is not JSON: %w", err)
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
