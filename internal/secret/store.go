package secret

import (
	"context"
	"errors"
	"fmt"
)

// MaxValue is the largest value of a secret, in bytes.
const MaxValue = 64 << 10

// What a store can answer but a value. Its errors wrap one of these, or ctx's error, and never hold a value.
var (
	// ErrNotFound: there is no such secret, or it is empty. It is an answer, which another store may know better.
	ErrNotFound = errors.New("no such secret")
	// ErrUnavailable: the store cannot be reached or is overloaded. It may pass.
	ErrUnavailable = errors.New("the store of secrets is unavailable")
	// ErrDenied: the store does not accept our credentials, or they do not reach so far.
	ErrDenied = errors.New("the store of secrets denies access")
	// ErrUnusable: the secret is there, but its value is larger than [MaxValue] or no single text.
	ErrUnusable = errors.New("the secret's value cannot be used")
)

// Entry is a secret as a store has it.
type Entry struct {
	Value Value
	// Source names the store: env, vault, aws, azure.
	Source string
	// Version is the store's version of the value, where it has versions.
	Version string
}

// NewEntry returns the entry of a text that a store holds. An empty text is [ErrNotFound], one that is larger than
// [MaxValue] [ErrUnusable].
func NewEntry(source, version, text string) (Entry, error) {
	switch {
	case text == "":
		return Entry{}, fmt.Errorf("the value is empty: %w", ErrNotFound)
	case len(text) > MaxValue:
		return Entry{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrUnusable, len(text), MaxValue)
	default:
		return Entry{Value: NewValue(text), Source: source, Version: version}, nil
	}
}

// Store is a place where secrets are. It is safe for concurrent use.
type Store interface {
	// Source names the store, as in [Entry].
	Source() string
	// Get returns a secret, or an error that wraps one of those above. It ends when ctx does.
	Get(ctx context.Context, name Name) (Entry, error)
}
