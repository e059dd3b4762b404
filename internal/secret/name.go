package secret

import (
	"errors"
	"fmt"
)

// MaxName is the longest name, in bytes.
const MaxName = 128

// ErrName is wrapped by the errors of [ParseName].
var ErrName = errors.New("not a name of a secret")

// Name is the logical name of a secret. Only [ParseName] makes one, so a store never sees a name that could climb out of
// where it may look. The zero Name names nothing.
type Name struct{ text string }

// ParseName checks that text is 1 to [MaxName] of A-Z a-z 0-9 _ . - with no dot at its start and no two dots in a row.
func ParseName(text string) (Name, error) {
	if text == "" {
		return Name{}, fmt.Errorf("%w: it is empty", ErrName)
	}
	if len(text) > MaxName {
		return Name{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrName, len(text), MaxName)
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		case c == '.' && i > 0 && text[i-1] != '.':
		default:
			return Name{}, fmt.Errorf("%w: it has %q at byte %d; it is made of A-Z a-z 0-9 _ - and single dots behind the first", ErrName, c, i)
		}
	}
	return Name{text}, nil
}

// String returns the name.
func (n Name) String() string { return n.text }
