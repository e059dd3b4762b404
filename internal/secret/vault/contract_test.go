package vault_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

func TestContract(t *testing.T) {
	t.Parallel()
	noBytes := "Vault keeps JSON, which has no bytes"
	noVersions := "version 1 of KV has no versions"
	for name, test := range map[string]struct {
		kv, told int
		lacks    map[secrettest.Row]string
	}{
		"version 2":            {2, 2, map[secrettest.Row]string{secrettest.RowBinary: noBytes}},
		"version 2, asked for": {2, 0, map[secrettest.Row]string{secrettest.RowBinary: noBytes}},
		"version 1": {1, 1, map[secrettest.Row]string{
			secrettest.RowBinary: noBytes, secrettest.RowPinned: noVersions, secrettest.RowPinnedMissing: noVersions,
			secrettest.RowRotated: noVersions, secrettest.RowGone: "version 1 of KV forgets what is deleted",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secrettest.Contract{Source: "vault", Lacks: test.lacks, Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
				t.Helper()
				return subject(t, p, test.kv, test.told)
			}}.Run(t)
		})
	}
}

// subject starts a fake that is reached over HTTP, and a store that asks it.
func subject(t *testing.T, p secrettest.Provider, kv, told int) secrettest.Subject {
	t.Helper()
	f := newFake()
	f.kv = kv
	f.blind = p.Condition == secrettest.Expired
	for key, s := range p.Secrets {
		for _, content := range s.Versions {
			f.put("team/"+key, entryOf(content))
		}
		if s.Gone {
			f.put("team/"+key, nil)
		}
	}
	wire := &secrettest.Wire{
		Condition: p.Condition, Handler: f,
		Failures: map[secrettest.Condition]secrettest.Failure{
			secrettest.Denied:    {Status: http.StatusForbidden, Body: `{"errors":["1 error occurred:\n\t* permission denied {{canary}}\n\n"]}`},
			secrettest.Expired:   {Status: http.StatusForbidden, Body: `{"errors":["permission denied","invalid token {{canary}}"]}`},
			secrettest.Throttled: {Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "3600"}, Body: `{"errors":["request path rejected {{canary}}"]}`},
			secrettest.Broken:    {Status: http.StatusServiceUnavailable, Body: `{"errors":["Vault is sealed {{canary}}"]}`},
		},
		About: func(r *http.Request) bool {
			return p.Condition == secrettest.Expired || strings.HasPrefix(r.URL.Path, "/v1/kv/")
		},
	}
	cfg := vault.Config{Addr: "http://127.0.0.1:1", Token: secret.NewValue(root), Mount: "kv/app", KVVersion: told, Log: logger(t)}
	if p.Condition != secrettest.Down {
		server := httptest.NewServer(wire)
		t.Cleanup(server.Close)
		cfg.Addr = server.URL
	}
	s := open(t, cfg)
	sub := secrettest.Subject{
		Store: s, Wire: wire,
		At:     func(key string) secret.Ref { return secret.Ref{Store: "vault", Path: "team/" + key} },
		Rotate: func(key string, to secrettest.Content) { f.put("team/"+key, entryOf(to)) },
	}
	if kv == 2 {
		sub.Version = func(_ string, n int) string { return strconv.Itoa(n + 1) }
	}
	return sub
}

// entryOf is how KV keeps a content.
func entryOf(c secrettest.Content) map[string]any {
	if c.Fields != nil {
		return maps.Clone(c.Fields)
	}
	return map[string]any{"value": c.Text + string(c.Binary)}
}

func TestContractOfLeases(t *testing.T) {
	t.Parallel()
	s := open(t, config(t, newFake()))
	entry, err := ask(t, s, "vault:/database/creds/app#password")
	require.NoError(t, err)
	secrettest.RequireQuiet(t, s, entry)
	_, err = s.Get(t.Context(), secret.Ref{Store: "vault", Path: "/database/../sys/mounts"})
	require.ErrorIs(t, err, secret.ErrRef)
}
