package door_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Attempts are counted from where the work last came forward.
func TestAttemptsThatComeForwardDoNotCount(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t) // three attempts
	opts.Progress = func(_ context.Context, c *door.Call) (int, error) {
		require.Equal(t, "r1", c.ID)
		return min(c.Attempt, 5), nil
	}
	var tries atomic.Int32
	open(t, s, opts, func(_ context.Context, c *door.Call) ([]byte, error) {
		require.EqualValues(t, tries.Add(1), c.Attempt)
		return nil, events.Errorf(events.CodeUnavailable, "not yet")
	})
	s.Publish(t, plain, "r1", []byte(`{}`))
	require.Equal(t, events.CodeUnavailable, s.Results().Next(t).Err().Code)
	require.Equal(t, "8", s.Dead().Next(t).Value(events.HeaderDeadAttempts), "five that came forward, and three that did not")
	require.EqualValues(t, 8, tries.Load())
}

// What is not known to have come to a standstill is not given up.
func TestProgressThatIsNotKnown(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.MaxAttempts = 1
	opts.Progress = func(context.Context, *door.Call) (int, error) {
		return 0, events.Errorf(events.CodeUnavailable, "nobody knows")
	}
	var tries atomic.Int32
	open(t, s, opts, func(context.Context, *door.Call) ([]byte, error) {
		if tries.Add(1) < 4 {
			return nil, events.Errorf(events.CodeUnavailable, "not yet")
		}
		return []byte(`{}`), nil
	})
	s.Publish(t, plain, "r1", []byte(`{}`))
	require.Nil(t, s.Results().Next(t).Err())
	s.Dead().Nothing(t)
}

// A worker that goes on elsewhere need not be waited for, and is not given up for it.
func TestGivenBackAtOnceOnAStop(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.MaxAttempts, opts.DrainTimeout = 1, time.Hour
	begun := make(chan struct{})
	stop := open(t, s, opts, func(_ context.Context, c *door.Call) ([]byte, error) {
		close(begun)
		<-c.Stopping
		return nil, bus.ErrGivenBack
	})
	s.Publish(t, plain, "r1", []byte(`{"n":1}`))
	<-begun
	stop()
	open(t, s, opts, reply)
	require.Nil(t, s.Results().Next(t).Err())
	s.Dead().Nothing(t)
}

// Durable requests have a time of their own.
func TestDurableTimeout(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.DurableTimeout = 3 * time.Hour
	var left atomic.Int64
	open(t, s, opts, func(ctx context.Context, c *door.Call) ([]byte, error) {
		deadline, _ := ctx.Deadline()
		if c.Durable {
			require.Equal(t, 2*time.Hour, c.Keep)
		}
		left.Store(int64(time.Until(deadline)))
		return []byte(`{}`), nil
	})
	s.Publish(t, plain, "r1", []byte(`{}`), events.HeaderResultTTL, "2h")
	require.Nil(t, s.Results().Next(t).Err())
	require.Greater(t, time.Duration(left.Load()), 2*time.Hour)
	require.Nil(t, s.Ask(t, "mlsdm.embed", []byte(`{}`)).Err())
	require.LessOrEqual(t, time.Duration(left.Load()), opts.Timeout)
}

// Who keeps something of a request hears when it can go.
func TestSettled(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.MaxAttempts = 1
	var mu sync.Mutex
	heard := map[string]events.Code{}
	opts.Settled = func(_ context.Context, c *door.Call, failure error) {
		mu.Lock()
		defer mu.Unlock()
		_, err := s.Bus.LastOn(t.Context(), "MLSDM_RESULTS", "mlsdm.results.default."+c.ID)
		require.NoError(t, err, "the answer is there")
		heard[c.ID] = events.CodeOf(failure)
	}
	open(t, s, opts, func(_ context.Context, c *door.Call) ([]byte, error) {
		c.InParts = c.ID != "small"
		switch c.ID {
		case "wrong":
			return nil, events.Errorf(events.CodeInvalidArgument, "it is wrong")
		case "fails":
			return nil, events.Errorf(events.CodeUnavailable, "not now")
		}
		return []byte(`{}`), nil
	})
	want := map[string]events.Code{"large": "", "wrong": events.CodeInvalidArgument, "fails": events.CodeUnavailable}
	for id := range want {
		s.Publish(t, plain, id, []byte(`{}`))
	}
	s.Publish(t, plain, "small", []byte(`{}`))
	for range len(want) + 1 {
		s.Results().Next(t)
	}
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(heard) == len(want)
	}, doortest.Patience, time.Millisecond)
	require.Equal(t, want, heard)
}
