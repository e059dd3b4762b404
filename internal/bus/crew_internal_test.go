package bus

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// TestCrewTellsWhenFewAreHeld: who waits for places is woken when there are enough of them, and not for each.
func TestCrewTellsWhenFewAreHeld(t *testing.T) {
	t.Parallel()
	told := make(chan struct{}, 1)
	c := newCrew(&worker{}, 4, told) // without workers, everything stays in the queue
	for range 3 {
		c.take(t.Context(), t.Context(), &nats.Msg{}, time.Now())
	}
	c.tellAt(-1)
	c.drop(<-c.queue) // 2 are left
	require.Empty(t, told)
	c.tellAt(0)
	c.drop(<-c.queue)
	require.Empty(t, told)
	c.drop(<-c.queue)
	require.Len(t, told, 1)
	<-told
	c.tellAt(1) // it is so already
	require.Len(t, told, 1)
	<-told
	c.tellAt(-1)
	require.Empty(t, told)
}
