package secretd

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/aws"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/azure"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/env"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// open makes the stores of the configuration, in their order, and has health look at each.
func (c Config) open(lookup func(variable string) (string, bool), checks *health.Checks) (secret.Chain, error) {
	var chain secret.Chain
	for _, name := range c.order() {
		var store secret.Store
		var err error
		switch name {
		case storeVault:
			store, err = vault.New(c.vault())
		case storeAWS:
			store, err = aws.New(aws.Config{Region: c.AWSRegion, Prefix: c.AWSPrefix})
		case storeAzure:
			store, err = azure.New(c.azure())
		default:
			store = env.New(lookup)
		}
		if err != nil {
			return nil, err
		}
		w := &watched{Store: store}
		checks.Register(name, w.check)
		chain = append(chain, w)
	}
	return chain, nil
}

// watched remembers how its store last answered. Asking a store only to see whether it answers would cost what asking
// costs.
type watched struct {
	secret.Store

	failed atomic.Pointer[error]
}

// Get implements [secret.Store].
func (w *watched) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	entry, err := w.Store.Get(ctx, name)
	switch {
	case errors.Is(err, secret.ErrUnavailable), errors.Is(err, secret.ErrDenied):
		w.failed.Store(&err)
	case err == nil, errors.Is(err, secret.ErrNotFound), errors.Is(err, secret.ErrUnusable): // it answered
		w.failed.Store(nil)
	}
	return entry, err
}

// check tells of a store that failed when it was last asked. Without it secretd still has what other stores have.
func (w *watched) check(context.Context) error {
	if err := w.failed.Load(); err != nil {
		return health.Degraded("%w", *err)
	}
	return nil
}
