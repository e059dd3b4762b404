package secret

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"
)

// MaxValue is the largest value of a secret, in bytes.
const MaxValue = 64 << 10

// What a store can answer but a value. Its errors wrap one of these, or ctx's error, and never hold a value.
var (
	// ErrNotFound: there is no such secret, or it is empty. It is an answer, which another store may know better.
	ErrNotFound = errors.New("no such secret")
	// ErrUnavailable: the store cannot be reached or is overloaded. It may pass.
	ErrUnavailable = errors.New("the store of secrets is unavailable")
	// ErrGone: the secret was deleted or disabled there, which somebody meant: what was known of it is not to be used any more,
	// and no other store speaks for it.
	ErrGone = errors.New("the secret was deleted or disabled")
	// ErrDenied: the store does not accept our credentials, or they do not reach so far.
	ErrDenied = errors.New("the store of secrets denies access")
	// ErrUnusable: the secret is there, but its value is larger than [MaxValue], no single text, or without the field that was
	// asked for.
	ErrUnusable = errors.New("the secret's value cannot be used")
)

// Entry is a secret as a store has it.
type Entry struct {
	Value Value
	// Source names the store, as [Ref] does.
	Source string
	// Version is the store's version of the value, where it has versions.
	Version string
	// ExpiresAt is when the value ceases to be valid, for one that is lent (a lease of Vault); zero is never.
	ExpiresAt time.Time
}

// NewEntry returns the entry of a text that a store holds. An empty text is [ErrNotFound], one that is larger than
// [MaxValue] or no UTF-8 [ErrUnusable].
func NewEntry(source, version, text string) (Entry, error) {
	if err := check(len(text), utf8.ValidString(text)); err != nil {
		return Entry{}, err
	}
	return Entry{Value: NewValue(text), Source: source, Version: version}, nil
}

// Store is a place where secrets are. It is safe for concurrent use.
type Store interface {
	// Source names the store, as [Ref] does.
	Source() string
	// Get returns what is at ref, or an error that wraps one of those above. A ref that [Ref.Check] refuses reaches nobody: the
	// error wraps [ErrDenied] and [ErrRef]. It ends when ctx does.
	Get(ctx context.Context, ref Ref) (Entry, error)
}

// Named gives secrets by their logical names: secretd, or who asks it. It is safe for concurrent use.
type Named interface {
	// Get returns a secret, or an error that wraps one of those above. It ends when ctx does.
	Get(ctx context.Context, name Name) (Entry, error)
}
