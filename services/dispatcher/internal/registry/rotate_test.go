package registry_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// rotate gives an endpoint another key and returns the secrets that were told.
func (r *replica) rotate(t *testing.T, req events.EndpointRotateRequest) (events.EndpointChanged, []string) {
	t.Helper()
	key := newKey(t)
	req.RecipientKey = key.Public()
	changed, err := r.Rotate(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, []string{"signing"}, changed.Changes)
	return changed, open(t, key, changed)
}

func TestOldKeysSignUntilTheOverlapEnds(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	first, old := r.create(t, spec("orders"))
	changed, fresh := r.rotate(t, events.EndpointRotateRequest{ID: "orders", Overlap: "2h"})
	keys := changed.Endpoint.Keys
	require.Len(t, keys, 2)
	require.Equal(t, changed.Secrets[0].KeyID, keys[0].ID, "the newest is first")
	require.Zero(t, keys[0].ExpiresAt)
	require.Equal(t, first.Endpoint.Keys[0].ID, keys[1].ID)
	end := keys[1].ExpiresAt
	require.WithinDuration(t, time.Now().Add(2*time.Hour), end, time.Minute)
	require.Empty(t, changed.Endpoint.Signing, "what was asked for is one generated key, as before")
	require.Empty(t, r.update(t, "orders", `{"signing":[]}`).Changes)

	for at, want := range map[time.Time]bool{time.Now(): true, end.Add(-time.Second): true, end: false, end.Add(time.Hour): false} {
		h := signed(t, r, "orders", at)
		require.Equal(t, want, verifiesAt(t, h, old[0], at), at)
		require.True(t, verifiesAt(t, h, fresh[0], at))
	}
}

func TestAnOverlapOfNothingEndsOldKeysAtOnce(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	_, old := r.create(t, spec("orders"))
	_, second := r.rotate(t, events.EndpointRotateRequest{ID: "orders"})
	changed, third := r.rotate(t, events.EndpointRotateRequest{ID: "orders", Overlap: "0s"})
	require.Len(t, changed.Endpoint.Keys, 1)
	h := signed(t, r, "orders", time.Now())
	require.False(t, verifies(t, h, old[0]))
	require.False(t, verifies(t, h, second[0]))
	require.True(t, verifies(t, h, third[0]))
}

func TestEndedKeysAreDroppedWithTheNextWrite(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	first, _ := r.create(t, spec("orders"))
	changed, _ := r.rotate(t, events.EndpointRotateRequest{ID: "orders", Overlap: "100ms"})
	eventually(t, func() bool { return !time.Now().Before(changed.Endpoint.Keys[1].ExpiresAt) }, "the key ends")
	require.Contains(t, r.raw(t, "orders"), first.Endpoint.Keys[0].ID)
	view, err := r.Get(events.EndpointRequest{ID: "orders"})
	require.NoError(t, err)
	require.Len(t, view.Keys, 1, "it is not shown either")
	r.update(t, "orders", `{"timeout":"1s"}`)
	require.NotContains(t, r.raw(t, "orders"), first.Endpoint.Keys[0].ID)
}

func TestAnUnrelatedChangeEndsNoKeySooner(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	r.create(t, spec("orders"))
	rotated, _ := r.rotate(t, events.EndpointRotateRequest{ID: "orders", Overlap: "700h"})
	changed := r.update(t, "orders", `{"timeout":"1s"}`)
	require.Equal(t, rotated.Endpoint.Keys, changed.Endpoint.Keys)
}

func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	r.create(t, spec("orders"))
	for range events.MaxEndpointKeys - 1 {
		r.rotate(t, events.EndpointRotateRequest{ID: "orders"})
	}
	_, err := r.Rotate(t.Context(), events.EndpointRotateRequest{ID: "orders", RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeFailedPrecondition, "at most 8", "overlap 0s")
	changed, _ := r.rotate(t, events.EndpointRotateRequest{ID: "orders", Overlap: "0s"})
	require.Len(t, changed.Endpoint.Keys, 1)
}

func TestRotateOneMethodOfTwo(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.old", "old "+canary)
	s.store.set("webhook.new", "new "+canary)
	r := s.start(t)
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Method: events.SignEd25519}, {Method: events.SignHMAC, Key: "secret:webhook.old"}}
	first, _ := r.create(t, wanted)

	changed, secrets := r.rotate(t, events.EndpointRotateRequest{ID: "orders", Signing: events.EndpointSigning{Key: "secret:webhook.new"}})
	require.Empty(t, secrets)
	require.Equal(t, []events.EndpointSigning{{Method: events.SignHMAC, Key: "secret:webhook.new"}, {Method: events.SignEd25519}}, changed.Endpoint.Signing)
	h := signed(t, r, "orders", time.Now())
	for _, key := range []string{"old " + canary, "new " + canary, first.Endpoint.Keys[0].PublicKey} {
		require.True(t, verifies(t, h, key))
	}
	_, err := r.Rotate(t.Context(), events.EndpointRotateRequest{ID: "orders", Signing: events.EndpointSigning{Key: "secret:webhook.new"}})
	refused(t, err, events.CodeInvalidArgument, "signs already")

	// Back to the old one, which has not ended: it stays, and the new one ends.
	changed, _ = r.rotate(t, events.EndpointRotateRequest{ID: "orders", Signing: events.EndpointSigning{Key: "secret:webhook.old"}})
	require.Len(t, changed.Endpoint.Keys, 3)
	require.Equal(t, "secret:webhook.old", changed.Endpoint.Keys[0].Reference)
	require.Zero(t, changed.Endpoint.Keys[0].ExpiresAt)
	_, err = r.Rotate(t.Context(), events.EndpointRotateRequest{ID: "orders", Signing: events.EndpointSigning{Key: "secret:webhook.gone"}})
	refused(t, err, events.CodeNotFound, "webhook.gone")
	_, err = r.Rotate(t.Context(), events.EndpointRotateRequest{ID: "orders"})
	refused(t, err, events.CodeInvalidArgument, "recipient_key")
	_, err = r.Rotate(t.Context(), events.EndpointRotateRequest{ID: "nobody"})
	refused(t, err, events.CodeNotFound, "nobody")
}

func TestChangingTheListOfKeysIsARotation(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.a", "a "+canary)
	s.store.set("webhook.b", "b "+canary)
	r := s.start(t)
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Key: "secret:webhook.a"}}
	r.create(t, wanted)
	key := newKey(t)
	changed, err := r.Update(t.Context(), events.EndpointUpdateRequest{
		ID: "orders", Endpoint: []byte(`{"signing":[{"key":"secret:webhook.b"},{"method":"v1a"},{}]}`), Overlap: "1h", RecipientKey: key.Public(),
	})
	require.NoError(t, err)
	require.Equal(t, []string{"signing"}, changed.Changes)
	require.Len(t, changed.Endpoint.Keys, 4)
	h := signed(t, r, "orders", time.Now())
	later := signed(t, r, "orders", time.Now().Add(2*time.Hour))
	require.True(t, verifies(t, h, "a "+canary))
	require.False(t, verifiesAt(t, later, "a "+canary, time.Now().Add(2*time.Hour)))
	for _, value := range append(open(t, key, changed), "b "+canary) {
		require.True(t, verifies(t, h, value))
		require.True(t, verifiesAt(t, later, value, time.Now().Add(2*time.Hour)))
	}
	// The one that is about to end is asked for again: it stays, and is no second key.
	changed = r.update(t, "orders", `{"signing":[{"key":"secret:webhook.a"}]}`)
	require.Len(t, changed.Endpoint.Keys, 4)
	require.True(t, verifiesAt(t, signed(t, r, "orders", time.Now().Add(48*time.Hour)), "a "+canary, time.Now().Add(48*time.Hour)))
	require.Empty(t, changed.Secrets)
	harmless(t, changed)
}
