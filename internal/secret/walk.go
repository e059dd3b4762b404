package secret

import (
	"context"
	"errors"
	"fmt"
)

// Walk asks for one secret at each of refs, in their order, and returns what the first that has it answers and where that was.
//
//   - [ErrNotFound] is an answer: the next is asked. From all, and of no refs at all, it is Walk's too.
//   - [ErrUnavailable] is none: the next is asked, but when nobody has the secret the error is [ErrUnavailable] and never
//     [ErrNotFound], as who could not be asked may have it.
//   - Every other error ends the walk, as [ErrDenied], [ErrGone] and [ErrUnusable] do: that one speaks for the secret, and an
//     older value elsewhere is not what was meant. So does the end of ctx.
//
// Errors, but for [ErrNotFound] from all, are a [StoreError], and the Ref beside them is the one that ended the walk; it is
// zero where none did.
func Walk(ctx context.Context, refs []Ref, get func(context.Context, Ref) (Entry, error)) (Entry, Ref, error) {
	var unavailable error
	for _, ref := range refs {
		entry, err := get(ctx, ref)
		switch {
		case err == nil:
			if entry.Source == "" {
				entry.Source = ref.Store
			}
			return entry, ref, nil
		case ctx.Err() != nil:
			return Entry{}, ref, &StoreError{Source: ref.Store, Err: err}
		case errors.Is(err, ErrUnavailable):
			failed := &StoreError{Source: ref.Store, Err: err}
			if unavailable == nil {
				unavailable = failed
			} else {
				unavailable = fmt.Errorf("%w; %w", unavailable, failed)
			}
		case !errors.Is(err, ErrNotFound):
			return Entry{}, ref, &StoreError{Source: ref.Store, Err: err}
		}
	}
	if unavailable != nil {
		return Entry{}, Ref{}, unavailable
	}
	return Entry{}, Ref{}, fmt.Errorf("no store has it: %w", ErrNotFound)
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
