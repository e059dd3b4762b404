package scrub

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold returns a text as a reader or a program may take it, and whether that is another one: digits of all scripts and wide letters
// as those of ASCII, signs that are not seen left out, dashes and spaces of all kinds as the plain ones, %XX as what it stands for.
// Nothing is shown so; it is only searched, since whoever writes ４１１１ means 4111.
func fold(text string) (string, bool) {
	if strings.IndexByte(text, '%') < 0 && isASCII(text) {
		return text, false
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if c, ok := unescaped(text[i:]); ok {
			b.WriteByte(c)
			i += 3
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r = folded(r); r >= 0 {
			b.WriteRune(r)
		}
		i += size
	}
	return b.String(), b.String() != text
}

// unescaped returns the sign of ASCII that a text begins with, if it is escaped as in URLs.
func unescaped(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := nibble(text[1]), nibble(text[2])
	c := high<<4 | low
	return c, high < 8 && low < 16 && c >= ' ' && c < 0x7f
}

// nibble returns the value of a hexadecimal digit, 255 if c is none.
func nibble(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// folded returns what a sign is taken for, -1 if it is not seen.
func folded(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r
	case r >= '！' && r <= '～': // the wide forms of ASCII
		return r - '！' + '!'
	case unicode.Is(unicode.Cf, r):
		return -1
	case unicode.Is(unicode.Pd, r), r == '−':
		return '-'
	case unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.Is(unicode.Nd, r):
		return digit(r)
	}
	return r
}

// digit returns that of ASCII: each script has its ten one after the other (Unicode 4.6).
func digit(r rune) rune {
	for _, in := range unicode.Nd.R16 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return '0' + (r-rune(in.Lo))%10
		}
	}
	for _, in := range unicode.Nd.R32 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) { //nolint:gosec // no rune is above 0x10ffff
			return '0' + (r-rune(in.Lo))%10 //nolint:gosec // no rune is above 0x10ffff
		}
	}
	return r
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
