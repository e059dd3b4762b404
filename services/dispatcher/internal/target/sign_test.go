package target_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

func edKey(t *testing.T, private string, expires time.Time) target.Key {
	t.Helper()
	signer, err := webhook.NewEd25519(private)
	require.NoError(t, err)
	return target.Key{Signer: signer, ExpiresAt: expires}
}

// verifies reports whether a receiver that knows one key takes the request.
func verifies(t *testing.T, key string, h http.Header, body []byte, at time.Time) bool {
	t.Helper()
	hook, err := webhook.New(key)
	require.NoError(t, err)
	return hook.VerifyAt(h, body, at) == nil
}

// sign returns what an endpoint adds to a request, as a receiver gets it.
func sign(t *testing.T, e *target.Endpoint, id string, at time.Time, body []byte) (http.Header, error) {
	t.Helper()
	list, err := e.Sign(t.Context(), id, at, body, []egress.Field{{Name: "Content-Type", Value: "application/json"}})
	h := http.Header{}
	for _, f := range list {
		require.Equal(t, http.CanonicalHeaderKey(f.Name), f.Name)
		h.Add(f.Name, f.Value)
	}
	require.Equal(t, []string{"application/json"}, h["Content-Type"], "what was there stays")
	h.Del("Content-Type")
	return h, err
}

func bodySignature(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestSignWithAllKeys(t *testing.T) {
	t.Parallel()
	private, public := webhook.GenerateKeyPair()
	newer, older := webhook.GenerateSecret(), "an older text"
	p := parts(t, events.EndpointSpec{ID: "a", BodySignature: true})
	p.Keys = []target.Key{edKey(t, private, time.Time{}), hmacKey(t, newer, time.Time{}), hmacKey(t, older, time.Time{})}
	e, err := target.New(p)
	require.NoError(t, err)

	at, body := time.Unix(1_700_000_000, 999_999_999), []byte(`{"a":1}`)
	h, err := sign(t, e, "evt_1", at, body)
	require.NoError(t, err)
	for _, key := range []string{public, newer, older} {
		require.True(t, verifies(t, key, h, body, at), key)
		require.False(t, verifies(t, key, h, []byte(`{"a":2}`), at), key)
	}
	require.False(t, verifies(t, "another", h, body, at))
	require.Equal(t, "evt_1", h.Get(webhook.HeaderID))
	require.Equal(t, "1700000000", h.Get(webhook.HeaderTimestamp))
	require.Len(t, strings.Fields(h.Get(webhook.HeaderSignature)), 3)
	require.Equal(t, bodySignature(newer, body), h.Get(webhook.HeaderBodySignature), "that of the newest v1 key")
	require.Len(t, h, 4, "names are canonical, so that none is there twice")
}

func TestBodySignatureOnlyWhereAsked(t *testing.T) {
	t.Parallel()
	for want, specs := range map[bool][]events.EndpointSpec{
		true:  {{BodySignature: true}, {Format: events.FormatMLSDM}, {Format: events.FormatCloudEvents, BodySignature: true}},
		false: {{}, {Format: events.FormatStandard}, {Format: events.FormatCloudEvents}},
	} {
		for _, spec := range specs {
			h, err := sign(t, newEndpoint(t, spec), "a", time.Now(), []byte("x"))
			require.NoError(t, err)
			require.Equal(t, want, h.Get(webhook.HeaderBodySignature) != "", "%+v", spec)
		}
	}
}

// A key ends to the second that was said, whatever the fraction of the attempt.
func TestKeysEnd(t *testing.T) {
	t.Parallel()
	private, public := webhook.GenerateKeyPair()
	end := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	p := parts(t, events.EndpointSpec{ID: "a", BodySignature: true})
	p.Keys = []target.Key{edKey(t, private, time.Time{}), hmacKey(t, "soon over", end), hmacKey(t, "later over", end.Add(time.Hour))}
	e, err := target.New(p)
	require.NoError(t, err)
	for _, tt := range []struct {
		at      time.Time
		signing []string
		body    string
	}{
		{end.Add(-time.Nanosecond), []string{public, "soon over", "later over"}, "soon over"},
		{end, []string{public, "later over"}, "later over"},
		{end.Add(time.Hour - time.Nanosecond), []string{public, "later over"}, "later over"},
	} {
		body := []byte("x")
		h, err := sign(t, e, "a", tt.at, body)
		require.NoError(t, err)
		require.Len(t, strings.Fields(h.Get(webhook.HeaderSignature)), len(tt.signing))
		for _, key := range tt.signing {
			require.True(t, verifies(t, key, h, body, tt.at), "%s at %s", key, tt.at)
		}
		require.Equal(t, bodySignature(tt.body, body), h.Get(webhook.HeaderBodySignature))
	}
	h, err := sign(t, e, "a", end.Add(time.Hour), nil)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	require.ErrorContains(t, err, "X-Webhook-Signature")
	require.Empty(t, h, "nothing is sent half signed")

	p.Keys[0].ExpiresAt, p.Spec.BodySignature = end, false
	e, err = target.New(p)
	require.NoError(t, err)
	h, err = sign(t, e, "a", end.Add(2*time.Hour), nil)
	require.ErrorContains(t, err, "every signing key has ended")
	require.Empty(t, h)
}

type brokenSigner struct{}

var errKMS = errors.New("the KMS is asleep")

func (brokenSigner) Version() string                              { return "v1a" }
func (brokenSigner) Sign(context.Context, []byte) ([]byte, error) { return nil, errKMS }

func TestSignFails(t *testing.T) {
	t.Parallel()
	h, err := sign(t, newEndpoint(t, events.EndpointSpec{}), "a.b", time.Now(), nil)
	require.ErrorIs(t, err, webhook.ErrInvalidID)
	require.Empty(t, h)
	p := parts(t, events.EndpointSpec{})
	p.Keys = append(p.Keys, target.Key{Signer: brokenSigner{}})
	e, err := target.New(p)
	require.NoError(t, err)
	h, err = sign(t, e, "a", time.Now(), nil)
	require.ErrorIs(t, err, errKMS)
	require.Empty(t, h)
}
