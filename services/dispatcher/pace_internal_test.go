package dispatcher

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 300
		var p pace
		var all sync.WaitGroup
		start := time.Now()
		at := make(chan time.Duration, many)
		for range many {
			all.Go(func() {
				p.wait(t.Context())
				at <- time.Since(start)
			})
		}
		all.Wait()
		close(at)
		var took []time.Duration
		for d := range at {
			took = append(took, d)
		}
		slices.Sort(took)
		atOnce, _ := slices.BinarySearch(took, time.Nanosecond)
		require.Equal(t, many-int(paceMost/paceEvery), atOnce, "those whose turn is too far away, and the first")
		for i, d := range took[atOnce:] {
			require.Equal(t, time.Duration(i+1)*paceEvery, d)
		}

		<-time.After(time.Second)
		start = time.Now()
		p.wait(t.Context())
		require.Zero(t, time.Since(start), "nobody was before it")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		p.wait(ended)
		require.Zero(t, time.Since(start))
	})
}
