package client

import (
	"fmt"
	"log/slog"
	"time"
)

// redacted is what every printed form of a [Secret] reads.
const redacted = "[redacted]"

// Secret is a secret's value. Whatever prints, logs or marshals it gets "[redacted]", also inside of another value; only
// [Secret.Reveal] gives the content.
type Secret struct {
	_ [0]func() // makes == a compile error
	// text is behind a pointer so that fmt, which walks unexported fields by reflection, prints an address.
	text *string
	// Source names the store that had it, for example "env"; Version is its version there, where it has versions.
	Source, Version string
	// FetchedAt is when that store was asked; zero when secretd does not say.
	FetchedAt time.Time
	// Stale says that the value is past its time, and that its store cannot be asked now.
	Stale bool
}

// Reveal returns the content. Call it only where the content is used.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter]; every verb prints the same.
func (s Secret) Format(f fmt.State, _ rune) {
	// A writer that fails is the concern of the caller of fmt, who sees the same error.
	_, _ = f.Write([]byte(redacted))
}

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [encoding/json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (s Secret) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }
