// Package secret holds what must not be seen: a value that cannot print, log or marshal itself.
package secret

import (
	"fmt"
	"log/slog"
)

// Redacted is what every printed form of a [Value] reads.
const Redacted = "[redacted]"

// Value is a secret string, such as an API key. Every way in which Go prints, logs or marshals a value gives
// [Redacted] instead of the content, also for a Value inside a struct, a map or a slice, exported or not.
// The zero Value is empty and means "not set". A Value must not be compared with == or used as a map key;
// it does not compile. A Value made by [Live] has a content that changes.
type Value struct {
	_ [0]func() // makes == a compile error: a comparison would look at addresses, and leak time if it did not
	// text and live are pointers so that fmt, which ignores methods on unexported fields and walks them by reflection,
	// prints addresses there and not the content. It does follow one pointer to a struct, but none to a string or an interface.
	text *string
	live *Source // in the place of text
	// taken says that the content of text is ours to overwrite.
	taken bool
}

// NewValue returns a Value that holds text.
func NewValue(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{text: &text}
}

// Reveal returns the content, of a live value the current one. Call it only where the content is used, for example on setting
// a header, and each time that it is.
func (v Value) Reveal() string {
	switch {
	case v.text != nil:
		return *v.text
	case v.live != nil:
		return (*v.live).Current()
	default:
		return ""
	}
}

// IsZero reports whether the value is not set. A live value is set, though it may have no content at a time.
func (v Value) IsZero() bool { return v.text == nil && v.live == nil }

// String implements [fmt.Stringer]; it returns [Redacted].
func (v Value) String() string { return Redacted }

// GoString implements [fmt.GoStringer]; it returns [Redacted].
func (v Value) GoString() string { return Redacted }

// Format implements [fmt.Formatter]; every verb prints [Redacted].
func (v Value) Format(f fmt.State, _ rune) {
	// A writer that fails is the concern of the caller of fmt, who sees the same error.
	_, _ = f.Write([]byte(Redacted))
}

// LogValue implements [slog.LogValuer]; it returns [Redacted].
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON implements [encoding/json.Marshaler]; it returns [Redacted].
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText implements [encoding.TextMarshaler], which YAML and XML use too; it returns [Redacted].
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalBinary implements [encoding.BinaryMarshaler], which gob uses; it returns [Redacted].
func (v Value) MarshalBinary() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; text becomes the content.
func (v *Value) UnmarshalText(text []byte) error {
	*v = NewValue(string(text))
	return nil
}
