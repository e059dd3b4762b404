package registry_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestADeletedEndpointIsGone(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	r, other := s.start(t), s.start(t)
	first, _ := r.create(t, spec("orders"))
	_ = r.called()
	answer, err := r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "orders"})
	require.NoError(t, err)
	require.Equal(t, events.EndpointDeleted{ID: "orders"}, answer)
	require.Equal(t, []string{"forget orders"}, r.called())
	require.Zero(t, r.Set().Len(), "who is answered sees it gone")
	_, err = r.Get(events.EndpointRequest{ID: "orders"})
	refused(t, err, events.CodeNotFound, "orders")
	eventually(t, func() bool { return other.Set().Len() == 0 }, "it is gone elsewhere")
	require.Empty(t, other.called(), "one replica forgets for all")

	again, _ := r.create(t, spec("orders"))
	require.NotEqual(t, first.Endpoint.Keys[0].ID, again.Endpoint.Keys[0].ID)
	require.Greater(t, again.Endpoint.Revision, first.Endpoint.Revision)
}

func TestDeletingWhatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	_, err := r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "nobody"})
	refused(t, err, events.CodeNotFound, "nobody")
	_, err = r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "a.b"})
	refused(t, err, events.CodeInvalidArgument, "id")
}

func TestDeletingAgainMakesUpForWhatFailed(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	r.create(t, spec("orders"))
	r.mu.Lock()
	r.fail = errors.New("inside: " + canary)
	r.mu.Unlock()
	_, err := r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "orders"})
	refused(t, err, events.CodeUnavailable, "delete it again")
	r.mu.Lock()
	r.fail = nil
	r.mu.Unlock()
	_ = r.called()
	_, err = r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "orders"})
	refused(t, err, events.CodeNotFound, "orders")
	require.Equal(t, []string{"forget orders"}, r.called())
}
