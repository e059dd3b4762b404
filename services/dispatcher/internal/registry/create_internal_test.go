package registry

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestRoom(t *testing.T) {
	t.Parallel()
	r := New(Config{Client: func(*tls.Config) *http.Client { return &http.Client{} }})
	add := func(n int, ordering string) {
		for range n {
			id := strconv.Itoa(len(r.entries))
			r.entries[id] = &entry{record: record{Spec: events.EndpointSpec{ID: id, Ordering: ordering}}}
		}
	}
	strict, loose := events.EndpointSpec{ID: "new", Ordering: events.OrderingStrict}, events.EndpointSpec{ID: "new"}
	add(MaxStrict-1, events.OrderingStrict)
	add(MaxStrict, events.OrderingNone)
	require.NoError(t, r.checkRoom(strict))
	add(1, events.OrderingStrict)
	require.ErrorContains(t, r.checkRoom(strict), "strictly ordered")
	require.NoError(t, r.checkRoom(loose))
	add(MaxEndpoints-len(r.entries), "")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(r.checkRoom(loose)))
	require.ErrorContains(t, r.checkRoom(events.EndpointSpec{ID: "7"}), "already an endpoint")
}
