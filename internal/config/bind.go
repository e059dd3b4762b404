package config

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// BindVariables gives the references to variables of the environment their content, which does not change, and returns the others. It is
// for references that stand in a file; those of settings are seen to by [Load]. The error names every variable that is not set.
func BindVariables(refs []Reference) (others []Reference, err error) {
	var errs []error
	for _, ref := range refs {
		if ref.Secret.Store() != secret.StoreEnv {
			others = append(others, ref)
			continue
		}
		text := os.Getenv(ref.Secret.Name())
		if text == "" {
			errs = append(errs, fmt.Errorf("%s: %s is not set", ref.Setting, ref.Secret))
		}
		ref.Secret.Bind(variable{secret.NewValue(text)})
	}
	return others, errors.Join(errs...)
}

// variable is the content of a variable of the environment.
type variable struct{ value secret.Value }

// Current implements [secret.Source].
func (v variable) Current() string { return v.value.Reveal() }

// Renew implements [secret.Source].
func (v variable) Renew(context.Context, string) {}
