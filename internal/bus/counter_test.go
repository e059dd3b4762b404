package bus_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestIncrement(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	subject := b.Subjects().Limit("requests", "rule", "scope", "0")
	add := func(id string, by, want int64) {
		t.Helper()
		got, err := b.Increment(t.Context(), subject, id, by)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	add("", 0, 0)
	add("a", 5, 5)
	add("b", -7, -2)
	add("b", -7, -2) // the same once more
	add("", 1<<53, 1<<53-2)
	add("c", -(1 << 53), -2)
	add("", 0, -2)

	srv.Restart(t)
	require.Eventually(t, func() bool {
		got, err := b.Increment(t.Context(), subject, "", 0)
		return err == nil && got == -2
	}, 4*patience, 50*time.Millisecond, "what was counted does not outlive the server")

	_, err := b.Increment(t.Context(), b.Subjects().Event("custom.x"), "", 1)
	require.Error(t, err, "this stream has no counters")
	_, err = b.Increment(t.Context(), "nowhere", "", 1)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	_, err = b.Increment(t.Context(), "a b", "", 1)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

// Every one of many increments at a time is told a value of its own.
func TestIncrementAtTheSameTime(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	const buses, each = 3, 100
	var mu sync.Mutex
	seen := map[int64]bool{}
	var working sync.WaitGroup
	for range buses {
		b := srv.Connect(t, "test")
		for range 4 {
			working.Go(func() {
				for range each {
					got, err := b.Increment(t.Context(), b.Subjects().Budget("rule", "scope", "0"), "", 1)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[got] {
						t.Errorf("%d was told twice", got)
					}
					seen[got] = true
					mu.Unlock()
				}
			})
		}
	}
	working.Wait()
	require.Len(t, seen, buses*4*each)
}
