package events

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// What follows appends members of a JSON object without reflection.

// appendMember appends a member that is a text.
func appendMember(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), '"', ':')
	if !utf8.ValidString(value) {
		value = string(bytes.ToValidUTF8([]byte(value), []byte(string(utf8.RuneError)))) // as encoding/json does, but for runs of them
	}
	return appendString(b, value)
}

// appendString appends valid UTF-8 as a JSON string. Unlike [json.Marshal] it leaves < > & as they are: data is no HTML.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// appendText appends a member that is a text, behind another one, unless it is empty.
func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(append(b, ','), name, value)
}

// appendCount appends a member that is a number, behind another one, unless it is 0.
func appendCount(b []byte, name string, n int) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(append(append(b, ',', '"'), name...), '"', ':'), int64(n), 10)
}

// appendTrue appends a member that is true, behind another one, unless it is not.
func appendTrue(b []byte, name string, yes bool) []byte {
	if !yes {
		return b
	}
	return append(append(append(b, ',', '"'), name...), `":true`...)
}

// appendFloat appends a finite number as encoding/json writes it.
func appendFloat(b []byte, f float64) []byte {
	const small, large = 1e-6, 1e21
	if f == 0 || f >= small && f < large {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	text, err := json.Marshal(f)
	if err != nil { // it is not finite, and no valid payload
		return append(b, '0')
	}
	return append(b, text...)
}
