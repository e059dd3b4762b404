package gate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// broken is a bucket that cannot be followed.
type broken struct {
	bucket
	err error
}

func (b broken) Watch(context.Context, string, func(), func(bus.KVEntry)) error { return b.err }

// A replica that cannot follow the others must not go on as if it did.
func TestRunEndsWithTheWatch(t *testing.T) {
	t.Parallel()
	want := errors.New("closed for good")
	g := New(broken{err: want}, "r", 8, DefaultPolicy(), bustest.Logger(t))
	ended := make(chan error, 1)
	go func() { ended <- g.Run(t.Context(), func() {}) }()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, want)
	case <-time.After(10 * time.Second):
		require.Fail(t, "nobody hears that the watch has ended")
	}
}

// The news that an endpoint is gone leaves nothing in memory.
func TestDeletedEndpointsLeaveNothing(t *testing.T) {
	t.Parallel()
	g := New(broken{}, "r", 8, DefaultPolicy(), bustest.Logger(t))
	g.see(bus.KVEntry{Key: "shop", Value: []byte(`{}`), Revision: 1})
	require.Len(t, g.all, 1)
	g.see(bus.KVEntry{Key: "shop", Revision: 2, Deleted: true})
	g.see(bus.KVEntry{Key: "shop.limits", Revision: 3, Deleted: true})
	require.Empty(t, g.all)
}

// Places under a rate that are late have been somebody else's since, unless all are: then nobody would ever have one.
func TestLatePlaces(t *testing.T) {
	t.Parallel()
	at := newGate(New(broken{}, "r", 8, DefaultPolicy(), bustest.Logger(t)), "shop")
	now := time.Now()
	late := func(by time.Duration) bool { return at.owns(now.Add(-by), now) }
	require.False(t, at.owns(time.Time{}, now))
	require.True(t, late(staleSlot/2))
	require.False(t, late(2*staleSlot))
	now = now.Add(lateFor / 2)
	require.False(t, late(2*staleSlot), "what comes after a pause comes at once")
	now = now.Add(lateFor)
	require.True(t, late(2*staleSlot))
	require.True(t, late(time.Second))
	require.False(t, late(2*staleSlot), "others are in time again")
}
