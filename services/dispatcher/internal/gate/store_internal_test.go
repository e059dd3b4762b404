package gate

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What is done on the strength of a change is done before the next change begins. Otherwise a replica takes places that it is
// just giving back.
func TestChangesAreFollowedInTheirOrder(t *testing.T) {
	t.Parallel()
	kv, err := bustest.Start(t).Connect(t, "r").KV(t.Context(), events.BucketEndpointState)
	require.NoError(t, err)
	c := cell[int]{kv: kv, key: "shop"}
	var (
		mu    sync.Mutex
		order []string
		next  sync.WaitGroup
	)
	happened := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	_, err = c.updateThen(t.Context(), func(int) (int, bool) { return 2, true }, func() {
		next.Go(func() {
			_, err := c.update(context.WithoutCancel(t.Context()), func(n int) (int, bool) {
				happened("given back")
				return n - 1, true
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-time.After(50 * time.Millisecond) // in which the next would begin if it did not wait
		happened("taken")
	})
	require.NoError(t, err)
	next.Wait()
	require.Equal(t, []string{"taken", "given back"}, order)
	require.Equal(t, 1, c.get())
}
