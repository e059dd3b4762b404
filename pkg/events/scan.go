package events

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// What follows reads a JSON text (RFC 8259) in one pass: that it is UTF-8, that it is JSON, that it nests no deeper than it may,
// and which members its outermost object has. It takes exactly what encoding/json takes, but for text that is not UTF-8. Every
// event that passes through a service is read at least once, and one pass is several times as fast as one for each question.
//
// Each function is given the place where something begins, and returns the place behind it, or [bad].

// bad is the place behind what is not what it should be.
const bad = -1

// validJSON reports whether body is one JSON value, in UTF-8, that nests at most depth levels deep.
func validJSON(body []byte, depth int) bool {
	end := scanValue(body, scanSpace(body, 0), depth)
	return end != bad && scanSpace(body, end) == len(body)
}

// scanObject adds the members of a JSON object to o. It returns false when body is no such object, or is not in UTF-8, or nests
// more than depth levels deep. The members share the memory of body.
func scanObject(o object, body []byte, depth int) (object, bool) {
	i := scanSpace(body, 0)
	if i == len(body) || body[i] != '{' || depth == 0 {
		return nil, false
	}
	i, more := scanFirst(body, i, '}')
	for more {
		nameEnd, value, end := scanMember(body, i, depth)
		if end == bad {
			return nil, false
		}
		o = append(o, member{memberName(body[i:nameEnd]), body[value:end]})
		i, more = scanNext(body, end, '}')
	}
	if i == bad || scanSpace(body, i) != len(body) {
		return nil, false
	}
	return o.unique(), true
}

// scanValue reads any value; depth is how many levels may still begin.
func scanValue(body []byte, i, depth int) int {
	if i >= len(body) {
		return bad
	}
	switch body[i] {
	case '"':
		return scanString(body, i)
	case '{':
		return scanMembers(body, i, depth)
	case '[':
		return scanList(body, i, depth)
	case 't':
		return scanWord(body, i, "true")
	case 'f':
		return scanWord(body, i, "false")
	case 'n':
		return scanWord(body, i, "null")
	default:
		return scanNumber(body, i)
	}
}

// scanMembers reads an object.
func scanMembers(body []byte, i, depth int) int {
	if depth == 0 {
		return bad
	}
	i, more := scanFirst(body, i, '}')
	for more {
		if _, _, i = scanMember(body, i, depth); i == bad {
			return bad
		}
		i, more = scanNext(body, i, '}')
	}
	return i
}

// scanMember reads a member of an object: its name, and its value from the second place to the third.
func scanMember(body []byte, i, depth int) (nameEnd, value, end int) {
	if i == len(body) || body[i] != '"' {
		return bad, bad, bad
	}
	if nameEnd = scanString(body, i); nameEnd == bad {
		return bad, bad, bad
	}
	if i = scanSpace(body, nameEnd); i == len(body) || body[i] != ':' {
		return bad, bad, bad
	}
	value = scanSpace(body, i+1)
	return nameEnd, value, scanValue(body, value, depth-1)
}

// scanList reads an array.
func scanList(body []byte, i, depth int) int {
	if depth == 0 {
		return bad
	}
	i, more := scanFirst(body, i, ']')
	for more {
		if i = scanValue(body, i, depth-1); i == bad {
			return bad
		}
		i, more = scanNext(body, i, ']')
	}
	return i
}

// scanFirst reads the bracket that begins an object or an array. It returns the place of what is in it, or the place behind it
// when there is nothing.
func scanFirst(body []byte, i int, closing byte) (next int, more bool) {
	if i = scanSpace(body, i+1); i < len(body) && body[i] == closing {
		return i + 1, false
	}
	return i, true
}

// scanNext reads what stands behind a member or an element: a comma, and it returns the place of the next one, or the bracket
// that ends the object or the array, and it returns the place behind that.
func scanNext(body []byte, i int, closing byte) (next int, more bool) {
	i = scanSpace(body, i)
	switch {
	case i == len(body):
		return bad, false
	case body[i] == ',':
		return scanSpace(body, i+1), true
	case body[i] == closing:
		return i + 1, false
	default:
		return bad, false
	}
}

// scanSpace skips white space; the place behind it is always good.
func scanSpace(body []byte, i int) int {
	for i < len(body) && (body[i] == ' ' || body[i] == '\n' || body[i] == '\r' || body[i] == '\t') {
		i++
	}
	return i
}

// scanWord reads true, false or null.
func scanWord(body []byte, i int, word string) int {
	if len(body)-i < len(word) || string(body[i:i+len(word)]) != word {
		return bad
	}
	return i + len(word)
}

// scanNumber reads a number.
func scanNumber(body []byte, i int) int {
	if body[i] == '-' {
		i++
	}
	if i < len(body) && body[i] == '0' { // nothing may stand behind it
		i++
	} else if i = scanDigits(body, i); i == bad {
		return bad
	}
	if i < len(body) && body[i] == '.' {
		if i = scanDigits(body, i+1); i == bad {
			return bad
		}
	}
	if i < len(body) && (body[i] == 'e' || body[i] == 'E') {
		i++
		if i < len(body) && (body[i] == '+' || body[i] == '-') {
			i++
		}
		return scanDigits(body, i)
	}
	return i
}

// scanDigits reads one digit or more.
func scanDigits(body []byte, i int) int {
	start := i
	for i < len(body) && body[i] >= '0' && body[i] <= '9' {
		i++
	}
	if i == start {
		return bad
	}
	return i
}

// scanString reads a string, with its quotes, eight bytes at a time while there is nothing to look at.
func scanString(body []byte, i int) int {
	const word = 8
	for i++; i < len(body); {
		if len(body)-i >= word {
			first := firstOdd(binary.LittleEndian.Uint64(body[i:]))
			if i += first; first == word {
				continue
			}
		}
		switch c := body[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = scanEscape(body, i); i == bad {
				return bad
			}
		case c < ' ':
			return bad
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(body[i:])
			if r == utf8.RuneError && size == 1 {
				return bad
			}
			i += size
		}
	}
	return bad
}

// firstOdd returns which of eight bytes, from the lowest on, is the first that is not just a character of a string: a quote, a
// backslash, a control character, or part of one that is not ASCII. It is 8 when there is none.
func firstOdd(eight uint64) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	// A byte that is smaller than n borrows from its highest bit when n is taken from it. It may borrow from the bytes above it
	// too, but those are behind it.
	quote, backslash := eight^'"'*ones, eight^'\\'*ones
	odd := eight | (eight - ' '*ones) | (quote - ones) | (backslash - ones)
	return bits.TrailingZeros64(odd&highs) / 8
}

// scanEscape reads a backslash and what it stands for.
func scanEscape(body []byte, i int) int {
	if i++; i == len(body) {
		return bad
	}
	switch body[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
	default:
		return bad
	}
	const digits = 4
	if len(body)-i <= digits {
		return bad
	}
	for _, c := range body[i+1 : i+1+digits] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return bad
		}
	}
	return i + 1 + digits
}
