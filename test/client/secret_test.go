package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const canary = "sk-canary-31337"

// signer makes a secretd's key.
func signer(t *testing.T) *seal.Signer {
	t.Helper()
	s, err := seal.MakeSigner()
	require.NoError(t, err)
	return s
}

// answerSecret answers a request for a secret with the canary, as secretd does.
func answerSecret(s *seal.Signer, r *bus.Request) (events.SecretRequest, events.SecretResponse, error) {
	var req events.SecretRequest
	if err := events.DecodeJSON(r.Body, &req); err != nil {
		return req, events.SecretResponse{}, err
	}
	to, err := seal.Read(req)
	if err != nil {
		return req, events.SecretResponse{}, err
	}
	resp, err := s.Seal(r.Caller, req.Name, to, seal.Content{
		Value: secret.NewValue(canary), Source: "env", Version: "3", FetchedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Stale: true,
	})
	return req, resp, err
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	requests, secretd := make(chan events.SecretRequest, 3), signer(t)
	serve(t, s, events.OpSecretsGet, func(_ context.Context, r *bus.Request) error {
		req, resp, err := answerSecret(secretd, r)
		if err != nil {
			return err
		}
		requests <- req
		return respond(r, resp)
	})
	c := connect(t, s, client.Caller("checkout"), client.SecretdKey(secretd.Public()))

	value, err := c.Secret(within(t), "openai_api_key")
	require.NoError(t, err)
	require.Equal(t, canary, value.Reveal())
	require.Equal(t, "env", value.Source)
	require.Equal(t, "3", value.Version)
	require.Equal(t, 2026, value.FetchedAt.Year())
	require.True(t, value.Stale)
	_, err = c.Secret(within(t), "openai_api_key")
	require.NoError(t, err)
	first, second := <-requests, <-requests
	require.NotEqual(t, first.RecipientKey, second.RecipientKey, "a key is used once")
	require.NotEqual(t, first.Nonce, second.Nonce, "a nonce is used once")
	require.False(t, first.NoCache)

	hybrid, err := c.Secret(within(t), "vault:mlsdm/openai#api_key", client.Hybrid(), client.NoCache())
	require.NoError(t, err)
	require.Equal(t, canary, hybrid.Reveal())
	third := <-requests
	require.True(t, third.NoCache)
	require.Equal(t, events.SealHybrid, third.Alg)

	holder := struct {
		Value  client.Secret
		Any    any
		hidden client.Secret
	}{value, value, value}
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb+verb+verb, value, &value, holder)
	}
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("m", "value", value, "holder", holder)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("m", "value", value, "holder", holder)
	require.NoError(t, json.NewEncoder(&printed).Encode(holder))
	require.NotContains(t, printed.String(), "canary")
	require.NotContains(t, printed.String(), fmt.Sprintf("%x", canary))
	require.Contains(t, printed.String(), "[redacted]")
	require.Empty(t, client.Secret{}.Reveal())
}

func TestSecretNeedsACaller(t *testing.T) {
	t.Parallel()
	c := connect(t, bustest.Start(t, bustest.Bare()))
	_, err := c.Secret(within(t), "openai_api_key")
	requireCode(t, events.CodeFailedPrecondition, err)
	require.ErrorContains(t, err, "client.Caller")
}

func TestSecretRefusesRepliesThatDoNotFit(t *testing.T) {
	t.Parallel()
	known, forger := signer(t), signer(t)
	for name, spoil := range map[string]func(*events.SecretResponse){
		"another secret":    func(r *events.SecretResponse) { r.Name = "github_token" },
		"another nonce":     func(r *events.SecretResponse) { r.Nonce = strings.Repeat("n", 26) },
		"another version":   func(r *events.SecretResponse) { r.Version = "2" },
		"another alg":       func(r *events.SecretResponse) { r.Alg = "none" },
		"no sender":         func(r *events.SecretResponse) { r.SenderKey = "" },
		"an endless sender": func(r *events.SecretResponse) { r.SenderKey = strings.Repeat("X", 10_000) },
		"another sender":    func(r *events.SecretResponse) { r.SenderKey = "X" + r.SenderKey[2:] + "A" },
		"tampered with":     func(r *events.SecretResponse) { r.Sealed[len(r.Sealed)-1] ^= 1 },
		"nothing sealed":    func(r *events.SecretResponse) { r.Sealed = nil },
		"in the clear":      func(r *events.SecretResponse) { r.Sealed = []byte(canary) },
	} {
		for _, options := range [][]client.SecretOption{nil, {client.Hybrid()}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				requireRefused(t, known, spoil, nil, options)
			})
		}
	}
	for name, spoil := range map[string]func(*events.SecretResponse){
		"not stale":      func(r *events.SecretResponse) { r.Stale = false },
		"another source": func(r *events.SecretResponse) { r.Source = "vault" },
		"no signature":   func(r *events.SecretResponse) { r.Signature = nil },
		"another signer": func(r *events.SecretResponse) { r.SignerKey = forger.Public() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, known, spoil, []client.Option{client.SecretdKey(known.Public())}, nil)
		})
	}
	t.Run("a forger", func(t *testing.T) {
		t.Parallel()
		requireRefused(t, forger, func(*events.SecretResponse) {}, []client.Option{client.SecretdKey(known.Public())}, nil)
	})
}

// requireRefused checks that a reply which is spoilt gives no value.
func requireRefused(t *testing.T, by *seal.Signer, spoil func(*events.SecretResponse), options []client.Option, how []client.SecretOption) {
	t.Helper()
	s := bustest.Start(t, bustest.Bare())
	serve(t, s, events.OpSecretsGet, func(_ context.Context, r *bus.Request) error {
		_, resp, err := answerSecret(by, r)
		if err != nil {
			return err
		}
		spoil(&resp)
		return respond(r, resp)
	})
	value, err := connect(t, s, append(options, client.Caller("checkout"))...).Secret(within(t), "openai_api_key", how...)
	requireCode(t, events.CodeInternal, err)
	require.Empty(t, value.Reveal())
	require.NotContains(t, err.Error(), canary)
}

// A reply that was recorded is no reply to another request, even for the same secret and by the same secretd.
func TestARecordedReplyIsOfNoUse(t *testing.T) {
	t.Parallel()
	for _, how := range [][]client.SecretOption{nil, {client.Hybrid()}} {
		s, secretd := bustest.Start(t, bustest.Bare()), signer(t)
		var recorded atomic.Pointer[events.SecretResponse]
		serve(t, s, events.OpSecretsGet, func(_ context.Context, r *bus.Request) error {
			if first := recorded.Load(); first != nil {
				var req events.SecretRequest
				if err := events.DecodeJSON(r.Body, &req); err != nil {
					return err
				}
				replayed := *first
				replayed.Nonce = req.Nonce // as far as somebody without keys can go
				return respond(r, replayed)
			}
			_, resp, err := answerSecret(secretd, r)
			recorded.Store(&resp)
			if err != nil {
				return err
			}
			return respond(r, resp)
		})
		c := connect(t, s, client.Caller("checkout"))
		_, err := c.Secret(within(t), "openai_api_key", how...)
		require.NoError(t, err)
		_, err = c.Secret(within(t), "openai_api_key", how...)
		requireCode(t, events.CodeInternal, err)
	}
}

func TestListAndRefreshSecrets(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	serve(t, s, events.OpSecretsList, func(_ context.Context, r *bus.Request) error {
		var req events.SecretsListRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		return respond(r, events.SecretsList{Secrets: []events.SecretInfo{{Name: req.After + "z", State: events.SecretFresh}}, Next: r.Caller})
	})
	serve(t, s, events.OpSecretsRefresh, func(_ context.Context, r *bus.Request) error {
		var req events.SecretsRefreshRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		return respond(r, events.SecretsRefreshed{Secret: events.SecretInfo{Name: req.Name, State: events.SecretFresh}, Rotated: true, PreviousVersion: "2"})
	})
	for _, caller := range []string{"checkout", "default"} { // there is no plain form of these, not even for who has no name
		c := connect(t, s, client.Caller(caller))
		list, err := c.ListSecrets(within(t), 1, "a")
		require.NoError(t, err)
		require.Equal(t, events.SecretsList{Secrets: []events.SecretInfo{{Name: "az", State: events.SecretFresh}}, Next: caller}, list)
		refreshed, err := c.RefreshSecret(within(t), "key")
		require.NoError(t, err)
		require.True(t, refreshed.Rotated)
		require.Equal(t, "2", refreshed.PreviousVersion)
	}
	_, err := connect(t, s).ListSecrets(within(t), 0, "")
	requireCode(t, events.CodeFailedPrecondition, err)
	_, err = client.Connect(within(t), s.URL(), client.SecretdKey("SUsomething"))
	requireCode(t, events.CodeInvalidArgument, err)
}
