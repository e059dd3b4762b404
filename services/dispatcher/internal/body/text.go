package body

import (
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendHTMLSafe appends s as [encoding/json.Marshal] writes a string: with < > & and the line separators of JavaScript
// escaped, and bytes that are no UTF-8 replaced.
func appendHTMLSafe(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				continue
			}
			b = append(b, s[start:i-1]...)
			b = appendEscaped(b, rune(c))
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if r == '\u2028' || r == '\u2029' || r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i-size]...)
			b = appendUnicode(b, r)
			start = i
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendASCII appends s as Python's json.dumps writes a string: everything that is not ASCII escaped, what needs more than
// 16 bits as a pair of surrogates. Bytes that are no UTF-8, which no Python string has, are replaced.
func appendASCII(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			b = appendUnicode(appendUnicode(b, high), low)
		case r >= utf8.RuneSelf:
			b = appendUnicode(b, r)
		case r < ' ', r == '"', r == '\\', r == 0x7f:
			b = appendEscaped(b, r)
		default:
			b = append(b, byte(r))
		}
	}
	return append(b, '"')
}

// appendEscaped appends the short escape of an ASCII character, or the long one when it has none.
func appendEscaped(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return appendUnicode(b, r)
	}
}

// appendUnicode appends \uXXXX of a character of 16 bits.
func appendUnicode(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}
