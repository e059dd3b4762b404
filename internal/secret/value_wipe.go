package secret

import (
	"fmt"
	"unicode/utf8"
	"unsafe"
)

// TakeValue returns a Value whose content is text itself and no copy of it, so that [Value.Wipe] overwrites it. Nobody else may
// use text from then on.
func TakeValue(text []byte) Value {
	if len(text) == 0 {
		return Value{}
	}
	content := unsafe.String(unsafe.SliceData(text), len(text)) //nolint:gosec // nobody writes to it but Wipe, at its end
	return Value{text: &content, taken: true}
}

// Wipe ends a value that was made by [TakeValue]: its content is overwritten, in every copy of the Value and in every string that
// Reveal gave, and is empty from then on. Only who has it alone may do that. To values that were made otherwise it does nothing:
// their text may be somebody else's too, as that of the environment is. What is not wiped stays in memory until the garbage
// collector gives its place to something else.
func (v Value) Wipe() {
	if !v.taken {
		return
	}
	clear(unsafe.Slice(unsafe.StringData(*v.text), len(*v.text))) //nolint:gosec // TakeValue was given these bytes
	*v.text = ""
}

// TakeEntry is [NewEntry] of bytes, which become the content of the value as [TakeValue] has it, or are overwritten if there is
// an error.
func TakeEntry(source, version string, text []byte) (Entry, error) {
	if err := check(len(text), utf8.Valid(text)); err != nil {
		clear(text)
		return Entry{}, err
	}
	return Entry{Value: TakeValue(text), Source: source, Version: version}, nil
}

// check checks what a value is to be, by its size in bytes.
func check(size int, isText bool) error {
	switch {
	case size == 0:
		return fmt.Errorf("the value is empty: %w", ErrNotFound)
	case size > MaxValue:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrUnusable, size, MaxValue)
	case !isText:
		return fmt.Errorf("%w: it is binary, no text in UTF-8", ErrUnusable)
	default:
		return nil
	}
}
