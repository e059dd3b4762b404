// Package env reads secrets from environment variables: openai_api_key is OPENAI_API_KEY.
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

// Variable returns the environment variable that holds a secret: the name in upper case, with _ for every dot and dash.
func Variable(name secret.Name) string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(name.String()))
}

// Source implements [secret.Store].
func (s *Store) Source() string { return "env" }

// Get implements [secret.Store]. The environment has no versions.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if err := ctx.Err(); err != nil {
		return secret.Entry{}, err
	}
	variable := ref.Path
	text, ok := s.lookup(variable)
	if !ok {
		return secret.Entry{}, fmt.Errorf("%s is not set: %w", variable, secret.ErrNotFound)
	}
	entry, err := secret.NewEntry(s.Source(), "", text)
	if err != nil {
		return secret.Entry{}, fmt.Errorf("%s: %w", variable, err)
	}
	return entry, nil
}
