// Package env reads secrets from environment variables: env:OPENAI_API_KEY. They are what they were when the process began, so
// they have no versions and are never rotated.
package env

import (
	"context"
	"fmt"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Store is the environment as a store of secrets. Make one with [New].
type Store struct {
	lookup func(variable string) (string, bool)
}

// New returns a store over lookup, which is [os.LookupEnv] in a process.
func New(lookup func(variable string) (string, bool)) *Store { return &Store{lookup} }

// Variable returns the environment variable that holds a secret of which nothing else is said: the name in upper case, with _
// for every dot and dash.
func Variable(name secret.Name) string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(name.String()))
}

// Source implements [secret.Store].
func (s *Store) Source() string { return secret.StoreEnv }

// Get implements [secret.Store]. The path of ref is the variable.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if err := ref.Check(s.Source()); err != nil {
		return secret.Entry{}, fmt.Errorf("%w: %w", secret.ErrDenied, err)
	}
	if err := ctx.Err(); err != nil {
		return secret.Entry{}, fmt.Errorf("reading %s: %w", ref.Path, err)
	}
	text, ok := s.lookup(ref.Path)
	if !ok {
		return secret.Entry{}, fmt.Errorf("%s is not set: %w", ref.Path, secret.ErrNotFound)
	}
	entry, err := secret.NewEntry(s.Source(), "", text)
	if err != nil {
		return secret.Entry{}, fmt.Errorf("%s: %w", ref.Path, err)
	}
	return entry, nil
}
