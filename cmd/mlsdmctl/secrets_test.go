package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// startSecretd serves many names, whose values are all the canary, in pages of two. It returns where, and its public key.
func startSecretd(t *testing.T, many int) (url, key string) {
	t.Helper()
	s := bustest.Start(t, bustest.Bare())
	signer, err := seal.MakeSigner()
	require.NoError(t, err)
	respond := func(r *bus.Request, reply any) error {
		body, err := json.Marshal(reply)
		if err != nil {
			return err
		}
		return r.Respond(body)
	}
	get := func(_ context.Context, r *bus.Request) error {
		var req events.SecretRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		if req.Name == "refused" {
			return &events.Error{Code: events.CodeUnauthenticated, Message: "the store does not accept secretd", Provider: "vault"}
		}
		to, err := seal.Read(req)
		if err != nil {
			return err
		}
		reply, err := signer.Seal(r.Caller, req.Name, to, seal.Content{Value: secret.NewValue(canary), Source: "vault"})
		if err != nil {
			return err
		}
		return respond(r, reply)
	}
	list := func(_ context.Context, r *bus.Request) error {
		var req events.SecretsListRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		var page events.SecretsList
		for i := range many {
			name := fmt.Sprintf("key_%04d", i)
			switch {
			case name <= req.After:
			case len(page.Secrets) == 2:
				page.Next = page.Secrets[1].Name
			default:
				page.Secrets = append(page.Secrets, events.SecretInfo{Name: name, State: events.SecretUnknown})
			}
		}
		return respond(r, page)
	}
	b := s.Connect(t, "fake")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	name := events.MicroName(events.ServiceSecretd)
	go func() {
		done <- b.Serve(ctx, bus.Service{Name: name, Version: "1.0.0", DrainTimeout: 100 * time.Millisecond, Operations: []bus.Operation{
			{Name: events.OpSecretsGet, Handler: get}, {Name: events.OpSecretsList, Handler: list},
		}})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.Eventually(t, func() bool { // it answers pings once it is subscribed to everything
		ask, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		_, err := b.Request(ask, bus.Msg{Subject: "$SRV.PING." + name})
		return err == nil
	}, 30*time.Second, time.Millisecond)
	return s.URL(), signer.Public()
}

// TestSecretsGetKnowsItsSecretd: whoever else answers is not believed.
func TestSecretsGetKnowsItsSecretd(t *testing.T) {
	t.Parallel()
	url, key := startSecretd(t, 0)
	other, err := seal.MakeSigner()
	require.NoError(t, err)
	ask := []string{"--server", url, "--caller", "generator", "secrets", "get", "key", "--secretd-key"}

	code, out, errs := ctl(t.Context(), nil, "", append(ask, key)...)
	require.Zero(t, code, errs)
	require.Equal(t, canary, out)
	for _, wrong := range []string{other.Public(), "nonsense"} {
		code, out, errs = ctl(t.Context(), nil, "", append(ask, wrong)...)
		require.NotZero(t, code)
		require.Empty(t, out)
		require.NotContains(t, errs, canary)
	}
}

// TestSecretsGetOfAStoreThatRefuses: it is not our key that is refused.
func TestSecretsGetOfAStoreThatRefuses(t *testing.T) {
	t.Parallel()
	url, _ := startSecretd(t, 0)
	code, _, errs := ctl(t.Context(), nil, "", "--server", url, "--caller", "generator", "secrets", "get", "refused")
	require.NotZero(t, code)
	require.Contains(t, errs, "the store does not accept secretd")
	require.NotContains(t, errs, "This bus is closed")
}

// TestSecretsListsAll, page by page.
func TestSecretsListsAll(t *testing.T) {
	t.Parallel()
	for _, many := range []int{0, 2, 5} {
		url, _ := startSecretd(t, many)
		code, out, errs := ctl(t.Context(), nil, "", "--server", url, "--caller", "generator", "--json", "secrets")
		require.Zero(t, code, errs)
		require.Equal(t, many, strings.Count(out, "key_"), out)
		require.NotContains(t, out, "null")
	}
}

// Something in the stream that is no record does not hide those that are.
func TestSecretsAuditReadsOn(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "secretd")
	for _, body := range []string{
		`{"time":"2026-11-23T10:00:00Z","caller":"one","operation":"secrets.get","outcome":"given","latency_ms":1}`, "no JSON", "{}",
		`{"time":"2026-11-23T10:00:01Z","caller":"two","operation":"secrets.get","outcome":"not_found","latency_ms":1}`,
	} {
		_, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().AuditSecrets(), Body: []byte(body)})
		require.NoError(t, err)
	}
	code, out, errs := ctl(t.Context(), map[string]string{}, "", "--server", s.URL(), "--json", "secrets", "audit")
	require.Zero(t, code, errs)
	var records []events.SecretAccess
	require.NoError(t, json.Unmarshal([]byte(out), &records))
	require.Len(t, records, 2)
	require.Equal(t, "two", records[1].Caller)
	require.Contains(t, errs, "2 messages in the audit's stream cannot be read as records")
}
