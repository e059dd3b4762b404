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
func (s *Store) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	if err := ctx.Err(); err != nil {
		return secret.Entry{}, err
	}
	variable := Variable(name)
	text, ok := s.lookup(variable)
	switch {
	case !ok || text == "":
		return secret.Entry{}, fmt.Errorf("%s is not set: %w", variable, secret.ErrNotFound)
	case len(text) > secret.MaxValue:
		return secret.Entry{}, fmt.Errorf("%s has %d bytes, at most %d are allowed: %w", variable, len(text), secret.MaxValue, secret.ErrUnusable)
	default:
		return secret.Entry{Value: secret.NewValue(text), Source: s.Source()}, nil
	}
}
