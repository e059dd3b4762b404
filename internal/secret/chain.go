package secret

import (
	"context"
	"errors"
	"fmt"
)

// Chain is stores that are asked in their order. Only a store that has no such secret passes the question on. One that
// fails ends it: what a later store has is perhaps not what this one would have said, and "no such secret" would be a lie.
type Chain []Store

// Get returns the secret of the first store that has it. Its errors are a [StoreError], but for [ErrNotFound] from all.
func (c Chain) Get(ctx context.Context, name Name) (Entry, error) {
	for _, store := range c {
		entry, err := store.Get(ctx, name)
		switch {
		case err == nil:
			return entry, nil
		case !errors.Is(err, ErrNotFound):
			return Entry{}, &StoreError{Source: store.Source(), Err: err}
		}
	}
	return Entry{}, fmt.Errorf("%s: %w", name, ErrNotFound)
}

// StoreError says which store failed.
type StoreError struct {
	Source string
	Err    error
}

// Error implements error.
func (e *StoreError) Error() string { return e.Source + ": " + e.Err.Error() }

// Unwrap returns what the store said.
func (e *StoreError) Unwrap() error { return e.Err }
