package attemptlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/attemptlog"
)

// fakeBus takes messages, fails with err, or is as slow as delay.
type fakeBus struct {
	mu         sync.Mutex
	msgs       []bus.Msg
	err        error
	delay      time.Duration
	maxPayload int64
	waiting    atomic.Int32 // calls of Publish
}

func (f *fakeBus) MaxPayload() int64 { return f.maxPayload }

func (f *fakeBus) Publish(ctx context.Context, m bus.Msg) (bus.Ack, error) {
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
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
			l.Add(record("a", id), nil)
		}
		l.Add(record("b", "4"), nil)
		synctest.Wait()
		n, _ := f.published(t)
		require.Zero(t, n, "it waits for more")
		<-time.After(101 * time.Millisecond)
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
		for range 520 {
			l.Add(record("a", "x"), nil)
		}
		synctest.Wait()
		n, ids := f.published(t)
		require.Equal(t, 2, n)
		require.Len(t, ids["mlsdm.attempts.a"], 512)
		stop()
		_, ids = f.published(t)
		require.Len(t, ids["mlsdm.attempts.a"], 520, "the rest goes out at the stop")
		l.Add(record("a", "late"), nil)
	})
}

// TestBatchesAreBoundedInBytes: whatever receivers answer, a message fits the server.
func TestBatchesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		maxPayload int64
		largest    int
	}{
		"large server": {8 << 20, 128 << 10},
		"not known":    {0, 128 << 10},
		"small server": {64 << 10, 60 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeBus{maxPayload: c.maxPayload}
				l, dropped, stop := start(t, f)
				for i := range 300 {
					r := record("a", strconv.Itoa(i))
					r.Response = strings.Repeat("\x01", 4<<10)
					l.Add(r, nil)
					synctest.Wait()
				}
				stop()
				require.Zero(t, dropped.Load())
				_, ids := f.published(t)
				require.Len(t, ids["mlsdm.attempts.a"], 300)
				for _, m := range f.msgs {
					require.LessOrEqual(t, len(m.Body), c.largest)
				}
				require.Greater(t, len(f.msgs[0].Body), c.largest/2)
			})
		})
	}
}

func TestServerThatTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, dropped, stop := start(t, &fakeBus{maxPayload: 100})
		l.Add(record("a", "1"), nil)
		stop()
		require.EqualValues(t, 1, dropped.Load())
	})
}

// TestSlowBus: a bus that takes a second for each message takes several at a time.
func TestSlowBus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBus{delay: time.Second}
		l, dropped, stop := start(t, f)
		for range 8 * 256 {
			l.Add(record("a", "x"), nil)
		}
		synctest.Wait()
		require.EqualValues(t, 8, f.waiting.Load())
		for range 8 * 256 {
			l.Add(record("b", "x"), nil)
		}
		synctest.Wait()
		require.EqualValues(t, 8, f.waiting.Load())
		<-time.After(1500 * time.Millisecond)
		require.EqualValues(t, 8, f.waiting.Load(), "the others follow at once")
		stop()
		_, ids := f.published(t)
		require.Len(t, ids["mlsdm.attempts.a"], 8*256)
		require.Len(t, ids["mlsdm.attempts.b"], 8*256)
		require.Zero(t, dropped.Load())
	})
}

func TestAddNeverBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBus{delay: time.Hour} // a bus that does not answer
		l, dropped, stop := start(t, f)
		began := time.Now()
		r := record("a", "x")
		r.Response = strings.Repeat("x", 4<<10)
		const records = 4000 // 16 MiB
		for range records {
			l.Add(r, nil)
		}
		require.Zero(t, time.Since(began))
		synctest.Wait()
		lost := dropped.Load()
		require.Greater(t, lost, int64(records/3), "memory is bounded")
		require.Less(t, lost, int64(records*2/3))
		f.mu.Lock()
		f.delay = 0
		f.mu.Unlock()
		<-time.After(6 * time.Second)
		l.Add(r, nil) // there is room again
		stop()
		_, ids := f.published(t)
		require.Equal(t, records+1, int(dropped.Load())+len(ids["mlsdm.attempts.a"]), "each record is either stored or counted")
		require.Less(t, dropped.Load(), int64(records*2/3))
	})
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBus{err: errors.New("the stream is full")}
		l, dropped, stop := start(t, f)
		l.Add(record("a", "1"), nil)
		l.Add(record("b", "2"), nil)
		stop()
		require.EqualValues(t, 2, dropped.Load())
		l.Add(record("b", "3"), nil)
		require.EqualValues(t, 3, dropped.Load(), "what comes after the end is lost")
	})
}

// TestFailuresDoNotFillTheLog: a bus that is down for a minute is worth a few lines, not one a batch.
func TestFailuresDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		dropped := new(atomic.Int64)
		l := attemptlog.New(&fakeBus{err: errors.New("down")}, events.Subjects{}, slog.New(slog.NewTextHandler(&out, nil)),
			func(n int) { dropped.Add(int64(n)) })
		finished, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			l.Run(t.Context(), finished)
		}()
		for range 600 {
			l.Add(record("a", "x"), nil)
			<-time.After(100 * time.Millisecond)
		}
		close(finished)
		<-done
		require.EqualValues(t, 600, dropped.Load())
		lines := strings.Count(out.String(), "lost")
		require.Positive(t, lines)
		require.LessOrEqual(t, lines, 7)
	})
}

func TestTheStopDoesNotWaitForASlowBus(t *testing.T) {
	t.Parallel()
	for name, stopBy := range map[string]func(stop chan struct{}, cancel context.CancelFunc){
		"stop":    func(stop chan struct{}, _ context.CancelFunc) { close(stop) },
		"context": func(_ chan struct{}, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				lost := new(atomic.Int64)
				log := attemptlog.New(&fakeBus{delay: time.Hour}, events.Subjects{}, slog.New(slog.DiscardHandler), func(n int) { lost.Add(int64(n)) })
				const records = 10_000
				for range records {
					log.Add(events.DeliveryAttempt{EndpointID: "default"}, nil)
				}
				stop := make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stopBy(stop, cancel)
				begun := time.Now()
				log.Run(ctx, stop)
				require.LessOrEqual(t, time.Since(begun), 5*time.Second, "no longer than one publish")
				require.EqualValues(t, records, lost.Load())
			})
		})
	}
}

// TestManyWorkers: what many goroutines add to many endpoints on a real server is all there, once, in messages for one
// endpoint each.
func TestManyWorkers(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	dropped := new(atomic.Int64)
	l := attemptlog.New(b, b.Subjects(), bustest.Logger(t), func(n int) { dropped.Add(int64(n)) })
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.Run(t.Context(), stop)
	}()
	const workers, each, endpoints = 32, 300, 5
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				l.Add(record("e"+strconv.Itoa(i%endpoints), strconv.Itoa(w*each+i)), nil)
			}
		})
	}
	wg.Wait()
	close(stop)
	<-done
	require.Zero(t, dropped.Load())

	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	sub, err := js.SubscribeSync("mlsdm.attempts.>")
	require.NoError(t, err)
	seen := map[string]bool{}
	for len(seen) < workers*each {
		m, err := sub.NextMsg(10 * time.Second)
		require.NoError(t, err, "%d of %d are there", len(seen), workers*each)
		var records []events.DeliveryAttempt
		require.NoError(t, json.Unmarshal(m.Data, &records))
		for _, r := range records {
			require.False(t, seen[r.DeliveryID])
			seen[r.DeliveryID] = true
			require.Equal(t, m.Subject, "mlsdm.attempts."+r.EndpointID)
		}
	}
}
