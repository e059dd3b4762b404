package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// maxPattern bounds a pattern, in bytes.
const maxPattern = 512

// Pattern matches names: * is any run of characters but slashes, ** any run of characters, and everything else is itself.
type Pattern struct {
	text string
	re   *regexp.Regexp // nil when nothing in it stands for something else
}

// NewPattern reads a pattern.
func NewPattern(text string) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, errors.New("a pattern is empty")
	case len(text) > maxPattern:
		return Pattern{}, fmt.Errorf("a pattern has %d bytes; at most %d are allowed", len(text), maxPattern)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return Pattern{}, fmt.Errorf("the pattern %q has a control character", text)
	case !strings.Contains(text, "*"):
		return Pattern{text: text}, nil
	}
	var b strings.Builder
	b.WriteString(`\A`)
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**"):
			b.WriteString(`(?s:.*)`)
			rest = strings.TrimLeft(rest, "*")
		case rest[0] == '*':
			b.WriteString(`[^/]*`)
			rest = rest[1:]
		default:
			literal, _, _ := strings.Cut(rest, "*")
			b.WriteString(regexp.QuoteMeta(literal))
			rest = rest[len(literal):]
		}
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return Pattern{}, fmt.Errorf("the pattern %q cannot be used: %w", text, err)
	}
	return Pattern{text: text, re: re}, nil
}

// Match reports whether name is what the pattern says.
func (p Pattern) Match(name string) bool {
	if p.re == nil {
		return p.text == name
	}
	return p.re.MatchString(name)
}

// Literal returns the only name that the pattern matches; ok is false when there may be others.
func (p Pattern) Literal() (name string, ok bool) { return p.text, p.re == nil }

// isDefault reports whether the pattern stands for the default branch, where it stands among branches.
func (p Pattern) isDefault() bool { return p.text == DefaultBranch }

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }
