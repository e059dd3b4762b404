package attemptlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/attemptlog"
)

// fakeBus takes messages, fails with err, or is as slow as delay.
type fakeBus struct {
	mu    sync.Mutex
	msgs  []bus.Msg
	err   error
	delay time.Duration
}

func (f *fakeBus) Publish(ctx context.Context, m bus.Msg) (bus.Ack, error) {
	f.mu.Lock()
	delay := f.delay
	f.mu.Unlock()
	if delay > 0 {
		select {
		case <-ctx.Done():
			return bus.Ack{}, ctx.Err()
		case <-time.After(delay):
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return bus.Ack{}, f.err
	}
	f.msgs = append(f.msgs, m)
	return bus.Ack{}, nil
}

// published returns how many messages there are, and the ids of the deliveries in them by subject, in order.
func (f *fakeBus) published(t *testing.T) (int, map[string][]string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := map[string][]string{}
	for _, m := range f.msgs {
		var records []events.DeliveryAttempt
		require.NoError(t, json.Unmarshal(m.Body, &records))
		for _, r := range records {
			ids[m.Subject] = append(ids[m.Subject], r.DeliveryID)
		}
	}
	return len(f.msgs), ids
}

// start runs a Log; stop ends it and waits.
func start(t *testing.T, f *fakeBus) (log *attemptlog.Log, dropped *atomic.Int64, stop func()) {
	t.Helper()
	lost := new(atomic.Int64)
	l := attemptlog.New(f, events.Subjects{}, slog.New(slog.DiscardHandler), func(n int) { lost.Add(int64(n)) })
	finished, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.Run(t.Context(), finished)
	}()
	return l, lost, func() { close(finished); <-done }
}

func record(endpoint, id string) events.DeliveryAttempt {
	return events.DeliveryAttempt{EndpointID: endpoint, DeliveryID: id}
}

func TestRecordsAreBatchedByEndpointAndTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBus{}
		l, dropped, stop := start(t, f)
		for _, id := range []string{"1", "2", "3"} {
			l.Add(record("a", id))
		}
		l.Add(record("b", "4"))
		synctest.Wait()
		n, _ := f.published(t)
		require.Zero(t, n, "it waits for more")
		<-time.After(150 * time.Millisecond)
		synctest.Wait()
		n, ids := f.published(t)
		require.Equal(t, 2, n)
		require.Equal(t, map[string][]string{"mlsdm.attempts.a": {"1", "2", "3"}, "mlsdm.attempts.b": {"4"}}, ids)
		stop()
		require.Zero(t, dropped.Load())
	})
}

func TestFullBatchesDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBus{}
		l, _, stop := start(t, f)
		for range 130 {
			l.Add(record("a", "x"))
		}
		synctest.Wait()
		n, ids := f.published(t)
		require.Equal(t, 2, n)
		require.Len(t, ids["mlsdm.attempts.a"], 128)
		stop()
		_, ids = f.published(t)
		require.Len(t, ids["mlsdm.attempts.a"], 130, "the rest goes out at the stop")
	})
}

func TestAddNeverBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBus{delay: time.Hour} // a bus that does not answer
		l, dropped, stop := start(t, f)
		began := time.Now()
		for range 10_000 {
			l.Add(record("a", "x"))
		}
		require.Zero(t, time.Since(began))
		synctest.Wait()
		require.Positive(t, dropped.Load())
		f.mu.Lock()
		f.delay = 0
		f.mu.Unlock()
		<-time.After(6 * time.Second)
		stop()
		_, ids := f.published(t)
		require.Equal(t, 10_000, int(dropped.Load())+len(ids["mlsdm.attempts.a"]), "each record is either stored or counted")
	})
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBus{err: errors.New("the stream is full")}
		l, dropped, stop := start(t, f)
		l.Add(record("a", "1"))
		l.Add(record("b", "2"))
		stop()
		require.EqualValues(t, 2, dropped.Load())
	})
}

func TestTheStopDoesNotWaitForASlowBus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := 0
		log := attemptlog.New(&fakeBus{delay: time.Hour}, events.Subjects{}, slog.New(slog.DiscardHandler), func(n int) { lost += n })
		const records = 1000
		for range records {
			log.Add(events.DeliveryAttempt{EndpointID: "default"})
		}
		stop := make(chan struct{})
		close(stop)
		begun := time.Now()
		log.Run(t.Context(), stop)
		require.LessOrEqual(t, time.Since(begun), 11*time.Second, "one publish that was under way, and one more")
		require.Equal(t, records, lost)
	})
}
