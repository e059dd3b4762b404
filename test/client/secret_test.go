package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const canary = "sk-canary-31337"

// seal answers a request for a secret with the canary.
func seal(r *bus.Request) (events.SecretRequest, events.SecretResponse, error) {
	var req events.SecretRequest
	if err := events.DecodeJSON(r.Body, &req); err != nil {
		return req, events.SecretResponse{}, err
	}
	key, err := nkeys.CreateCurveKeys()
	if err != nil {
		return req, events.SecretResponse{}, err
	}
	public, err := key.PublicKey()
	if err != nil {
		return req, events.SecretResponse{}, err
	}
	sealed, err := key.Seal([]byte(canary), req.RecipientKey)
	return req, events.SecretResponse{Name: req.Name, Source: "env", Version: "3", SenderKey: public, Sealed: sealed}, err
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	keys := make(chan string, 2)
	serve(t, s, events.OpSecretsGet, func(_ context.Context, r *bus.Request) error {
		req, resp, err := seal(r)
		if err != nil {
			return err
		}
		keys <- req.RecipientKey
		return respond(r, resp)
	})
	c := connect(t, s, client.Caller("checkout"))

	value, err := c.Secret(within(t), "openai_api_key")
	require.NoError(t, err)
	require.Equal(t, canary, value.Reveal())
	require.Equal(t, "env", value.Source)
	require.Equal(t, "3", value.Version)
	_, err = c.Secret(within(t), "openai_api_key")
	require.NoError(t, err)
	first, second := <-keys, <-keys
	require.NotEqual(t, first, second, "a key is used once")

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
	for name, spoil := range map[string]func(*events.SecretResponse){
		"another secret":    func(r *events.SecretResponse) { r.Name = "github_token" },
		"no sender":         func(r *events.SecretResponse) { r.SenderKey = "" },
		"an endless sender": func(r *events.SecretResponse) { r.SenderKey = strings.Repeat("X", 100) },
		"another sender":    func(r *events.SecretResponse) { r.SenderKey = "X" + r.SenderKey[2:] + "A" },
		"tampered with":     func(r *events.SecretResponse) { r.Sealed[len(r.Sealed)-1] ^= 1 },
		"nothing sealed":    func(r *events.SecretResponse) { r.Sealed = nil },
		"in the clear":      func(r *events.SecretResponse) { r.Sealed = []byte(canary) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t, bustest.Bare())
			serve(t, s, events.OpSecretsGet, func(_ context.Context, r *bus.Request) error {
				_, resp, err := seal(r)
				if err != nil {
					return err
				}
				spoil(&resp)
				return respond(r, resp)
			})
			value, err := connect(t, s, client.Caller("checkout")).Secret(within(t), "openai_api_key")
			requireCode(t, events.CodeInternal, err)
			require.Empty(t, value.Reveal())
			require.NotContains(t, err.Error(), canary)
		})
	}
}
