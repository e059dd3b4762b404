package keyring_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// canary is in every secret of these tests.
const canary = "canary31337"

// sealKey makes a sealing key.
func sealKey(t *testing.T) secret.Value {
	t.Helper()
	raw := make([]byte, keyring.SealKeyBytes)
	_, err := rand.Read(raw)
	require.NoError(t, err)
	return secret.NewValue(base64.StdEncoding.EncodeToString(raw))
}

// ring makes a Ring with sealing keys.
func ring(t *testing.T, keys ...secret.Value) *keyring.Ring {
	t.Helper()
	sealer, err := keyring.NewSealer(keys)
	require.NoError(t, err)
	return keyring.New(sealer)
}

// nothing resolves no reference.
func nothing(context.Context, string) (secret.Value, error) {
	return secret.Value{}, events.Errorf(events.CodeNotFound, "nothing is there")
}

// stored is a record after its way through the store.
func stored(t *testing.T, rec keyring.Record) keyring.Record {
	t.Helper()
	text, err := json.Marshal(rec)
	require.NoError(t, err)
	var back keyring.Record
	require.NoError(t, json.Unmarshal(text, &back))
	return back
}

func TestGeneratedKeysSignAfterTheyWereStored(t *testing.T) {
	t.Parallel()
	r := ring(t, sealKey(t))
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, method := range []string{events.SignHMAC, events.SignEd25519} {
		rec, value, err := r.Generate("orders", method, now)
		require.NoError(t, err)
		require.True(t, rec.Generated())
		text, err := json.Marshal(rec)
		require.NoError(t, err)
		require.NotContains(t, string(text), value.Reveal())

		rec.ExpiresAt = now.Add(time.Hour)
		key, err := r.Open(t.Context(), "orders", stored(t, rec), nothing)
		require.NoError(t, err)
		require.Equal(t, method, key.Signer.Version())
		require.Equal(t, rec.ExpiresAt, key.ExpiresAt)
		signature, err := webhook.Signatures(t.Context(), []webhook.Signer{key.Signer}, "msg_1", now, []byte("body"))
		require.NoError(t, err)
		require.NotEmpty(t, signature)

		view := rec.View()
		require.Equal(t, method, view.Method)
		shown, err := json.Marshal(view)
		require.NoError(t, err)
		require.NotContains(t, string(shown), value.Reveal())
		if method == events.SignHMAC {
			require.Equal(t, value.Reveal(), key.BodySecret.Reveal())
			require.Empty(t, rec.PublicKey)
		} else {
			public, err := webhook.PublicKey(value.Reveal())
			require.NoError(t, err)
			require.Equal(t, public, view.PublicKey)
			require.True(t, key.BodySecret.IsZero())
		}
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", key, key, rec), value.Reveal())
	}
}

func TestNoTwoKeysAreTheSame(t *testing.T) {
	t.Parallel()
	r := ring(t, sealKey(t))
	ids, values := map[string]bool{}, map[string]bool{}
	for range 100 {
		rec, value, err := r.Generate("orders", events.SignHMAC, time.Now())
		require.NoError(t, err)
		ids[rec.ID], values[value.Reveal()] = true, true
	}
	require.Len(t, ids, 100)
	require.Len(t, values, 100)
}

func TestASealedKeyOpensNowhereElse(t *testing.T) {
	t.Parallel()
	r := ring(t, sealKey(t))
	rec, value, err := r.Generate("orders", events.SignHMAC, time.Now())
	require.NoError(t, err)
	other, _, err := r.Generate("orders", events.SignHMAC, time.Now())
	require.NoError(t, err)
	flipped := rec
	flipped.Sealed = bytes.Clone(rec.Sealed)
	flipped.Sealed[len(flipped.Sealed)-1] ^= 1
	for name, test := range map[string]struct {
		endpoint string
		change   func(*keyring.Record)
	}{
		"another endpoint":    {"mine", func(*keyring.Record) {}},
		"another key's id":    {"orders", func(rec *keyring.Record) { rec.ID = other.ID }},
		"another method":      {"orders", func(rec *keyring.Record) { rec.Method = events.SignEd25519 }},
		"a changed byte":      {"orders", func(rec *keyring.Record) { *rec = flipped }},
		"cut short":           {"orders", func(rec *keyring.Record) { rec.Sealed = rec.Sealed[:5] }},
		"nothing sealed":      {"orders", func(rec *keyring.Record) { rec.Sealed = nil }},
		"an unknown seal key": {"orders", func(rec *keyring.Record) { rec.SealKey = "0123456789abcdef" }},
		"no seal key":         {"orders", func(rec *keyring.Record) { rec.SealKey = "" }},
		"an unknown method":   {"orders", func(rec *keyring.Record) { rec.Method = "v9" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			moved := rec
			test.change(&moved)
			_, err := r.Open(t.Context(), test.endpoint, moved, nothing)
			require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
			require.NotContains(t, fmt.Sprintf("%v %+v", err, err), value.Reveal())
		})
	}
	_, err = ring(t, sealKey(t)).Open(t.Context(), "orders", rec, nothing)
	require.ErrorContains(t, err, "WEBHOOK_SEAL_KEYS")
}

func TestSealKeysCanBeReplaced(t *testing.T) {
	t.Parallel()
	first, second := sealKey(t), sealKey(t)
	rec, value, err := ring(t, first).Generate("orders", events.SignHMAC, time.Now())
	require.NoError(t, err)

	both := ring(t, second, first)
	key, err := both.Open(t.Context(), "orders", rec, nothing)
	require.NoError(t, err)
	require.Equal(t, value.Reveal(), key.BodySecret.Reveal())

	together := ring(t, secret.NewValue(second.Reveal()+", "+first.Reveal()+"\n")) // as one secret may hold them
	_, err = together.Open(t.Context(), "orders", rec, nothing)
	require.NoError(t, err)
	require.Equal(t, both.Reseal("orders", rec).SealKey, together.Reseal("orders", rec).SealKey)

	again := both.Reseal("orders", rec)
	require.NotEqual(t, rec.SealKey, again.SealKey)
	key, err = ring(t, second).Open(t.Context(), "orders", again, nothing)
	require.NoError(t, err)
	require.Equal(t, value.Reveal(), key.BodySecret.Reveal())

	require.Equal(t, again, both.Reseal("orders", again), "it is sealed with the first key already")
	require.Equal(t, rec, both.Reseal("elsewhere", rec), "what does not open stays as it is")
	require.Equal(t, rec, ring(t).Reseal("orders", rec), "nothing to seal with")
	refers := keyring.Refer(events.SignHMAC, "secret:webhook.a", time.Now())
	require.Equal(t, refers, both.Reseal("orders", refers))
}

func TestWithoutASealKeyNothingIsGenerated(t *testing.T) {
	t.Parallel()
	r := ring(t)
	require.Error(t, r.CanGenerate())
	for _, method := range []string{events.SignHMAC, events.SignEd25519} {
		rec, _, err := r.Generate("orders", method, time.Now())
		require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
		require.ErrorContains(t, err, "WEBHOOK_SEAL_KEYS")
		require.Empty(t, rec.Sealed)
	}
	require.NoError(t, ring(t, sealKey(t)).CanGenerate())
}

func TestSealKeysAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", canary, base64.StdEncoding.EncodeToString([]byte("short")), base64.StdEncoding.EncodeToString(make([]byte, 33))} {
		_, err := keyring.NewSealer([]secret.Value{sealKey(t), secret.NewValue(bad)})
		require.ErrorContains(t, err, "key 2 of WEBHOOK_SEAL_KEYS")
		require.NotContains(t, err.Error(), canary)
	}
}

func TestKeysThatStandElsewhere(t *testing.T) {
	t.Parallel()
	r := ring(t)
	private, _ := webhook.GenerateKeyPair()
	values := map[string]string{
		"secret:webhook.hmac": webhook.GenerateSecret(), "env:WEBHOOK_TEXT": "any text " + canary, "secret:webhook.ed": private,
		"secret:webhook.bad": "whsec_" + canary + "!!", "secret:webhook.pem": canary,
	}
	resolve := func(_ context.Context, ref string) (secret.Value, error) {
		value, ok := values[ref]
		if !ok {
			return nothing(t.Context(), ref)
		}
		return secret.NewValue(value), nil
	}
	for _, test := range []struct {
		method, ref string
		code        events.Code
	}{
		{events.SignHMAC, "secret:webhook.hmac", ""},
		{events.SignHMAC, "env:WEBHOOK_TEXT", ""},
		{events.SignEd25519, "secret:webhook.ed", ""},
		{events.SignHMAC, "secret:webhook.ed", events.CodeFailedPrecondition},
		{events.SignHMAC, "secret:webhook.bad", events.CodeFailedPrecondition},
		{events.SignEd25519, "secret:webhook.pem", events.CodeFailedPrecondition},
		{events.SignEd25519, "secret:webhook.hmac", events.CodeFailedPrecondition},
		{events.SignHMAC, "secret:webhook.gone", events.CodeNotFound},
		{"v2", "secret:webhook.hmac", events.CodeFailedPrecondition},
		{events.SignHMAC, "vault:" + canary, events.CodeInvalidArgument},
		{events.SignHMAC, canary, events.CodeInvalidArgument},
		{events.SignHMAC, ":" + canary, events.CodeInvalidArgument},
	} {
		rec := keyring.Refer(test.method, test.ref, time.Now())
		require.False(t, rec.Generated())
		key, err := r.Open(t.Context(), "orders", rec, resolve)
		require.Equal(t, test.code, events.CodeOf(err), "%s %s: %v", test.method, test.ref, err)
		if err != nil {
			require.NotContains(t, fmt.Sprintf("%+v", err), canary)
			continue
		}
		require.Equal(t, test.method, key.Signer.Version())
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.False(t, keyring.Record{}.Ended(at), "a key without an end has none")
	require.False(t, keyring.Record{ExpiresAt: at}.Ended(at.Add(-time.Nanosecond)))
	require.True(t, keyring.Record{ExpiresAt: at}.Ended(at))
}
