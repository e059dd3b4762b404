package vault_test

import (
	"context"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// TestHostileServers is of the client that Vault's own library makes for itself, within our bounds.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: bounded.MaxAnswer, Ask: func(ctx context.Context, url string) error {
		s := open(t, vault.Config{Addr: url, Token: secret.NewValue("token"), Mount: "kv", KVVersion: 2, Log: logger(t)})
		_, err := s.Get(ctx, secret.Ref{Store: "vault", Path: "key"})
		return err
	}}.Run(t)
}
