package hooks

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// However many take and give back, finished or thrown out, no more is held than there is, and all of it comes back.
func TestRoom(t *testing.T) {
	t.Parallel()
	const size, guests, rounds = 100, 16, 200
	r := newRoom(size, 30*time.Second)
	var held, thrown atomic.Int64
	var group sync.WaitGroup
	for n := range uint64(guests) {
		group.Go(func() {
			random := rand.New(rand.NewPCG(n, 1))
			for range rounds {
				expelled := make(chan struct{})
				g := &guest{expel: func() { close(expelled) }}
				mine := 0
				for _, want := range []int{1 + random.IntN(30), 1 + random.IntN(60)} {
					if r.take(g, want) != nil {
						break
					}
					mine += want
					if held.Add(int64(want)) > size {
						t.Error("more is held than there is")
					}
				}
				select {
				case <-expelled:
					thrown.Add(1)
				case <-time.After(time.Duration(random.IntN(100)) * time.Microsecond):
					if random.IntN(2) == 0 {
						r.settle(g)
					}
				}
				held.Add(-int64(mine))
				r.give(g, mine)
			}
		})
	}
	group.Wait()
	require.Zero(t, r.held())
	require.Zero(t, r.guests.Len())
	require.NotZero(t, thrown.Load())
}

func TestRoomThatIsTooSmall(t *testing.T) {
	t.Parallel()
	r := newRoom(10, time.Millisecond)
	require.ErrorIs(t, r.take(&guest{}, 11), errFull)
	eldest := &guest{expel: func() { t.Error("who asks is not thrown out") }}
	require.NoError(t, r.take(eldest, 6))
	require.ErrorIs(t, r.take(eldest, 5), errFull)
	r.settle(eldest)
	require.ErrorIs(t, r.take(&guest{}, 5), errFull, "nobody is to be thrown out, and it has waited")
	r.give(eldest, 6)
	require.NoError(t, r.take(&guest{}, 10))
}
