package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const patience = 15 * time.Second

// endpointsBucket opens the bucket that these tests write to.
func endpointsBucket(t *testing.T, b *bus.Bus) *bus.KV {
	t.Helper()
	kv, err := b.KV(t.Context(), events.BucketEndpoints)
	require.NoError(t, err)
	return kv
}

// watching is a Watch that runs until the test ends.
type watching struct {
	entries chan bus.KVEntry
	ready   chan struct{}
	ended   chan error
	stop    context.CancelFunc
}

func watch(t *testing.T, kv *bus.KV, pattern string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{entries: make(chan bus.KVEntry, 100), ready: make(chan struct{}), ended: make(chan error, 1), stop: cancel}
	go func() {
		w.ended <- kv.Watch(ctx, pattern, func() { close(w.ready) }, func(e bus.KVEntry) { w.entries <- e })
	}()
	t.Cleanup(cancel)
	return w
}

func (w *watching) next(t *testing.T) bus.KVEntry {
	t.Helper()
	select {
	case e := <-w.entries:
		if !e.Deleted {
			require.WithinDuration(t, time.Now(), e.Stored, 2*patience)
		}
		e.Stored = time.Time{} // so that entries can be compared
		return e
	case <-time.After(patience):
		t.Fatal("no change is told of")
		return bus.KVEntry{}
	}
}

// until takes what is told until it makes up want: values by key, nil for a deletion.
func (w *watching) until(t *testing.T, want map[string]string) {
	t.Helper()
	state := make(map[string]string)
	for {
		e := w.next(t)
		state[e.Key] = string(e.Value)
		if e.Deleted {
			require.Nil(t, e.Value)
			state[e.Key] = "(deleted)"
		}
		same := true
		for key, value := range want {
			same = same && state[key] == value
		}
		if same {
			return
		}
	}
}

func put(t *testing.T, kv *bus.KV, key, value string) uint64 {
	t.Helper()
	revision, err := kv.Put(t.Context(), key, []byte(value))
	require.NoError(t, err)
	return revision
}

func TestPutAndDelete(t *testing.T) {
	t.Parallel()
	kv := endpointsBucket(t, bustest.Start(t).Connect(t, "test"))
	first := put(t, kv, "a.b", "1")
	second := put(t, kv, "a.b", "2")
	require.Greater(t, second, first)
	require.ErrorIs(t, kv.Delete(t.Context(), "a.b", first), bus.ErrConflict)
	value, revision, err := kv.Get(t.Context(), "a.b")
	require.NoError(t, err)
	require.Equal(t, "2", string(value))
	require.Equal(t, second, revision)
	require.NoError(t, kv.Delete(t.Context(), "a.b", second))
	_, _, err = kv.Get(t.Context(), "a.b")
	require.ErrorIs(t, err, bus.ErrNotFound)
	require.NoError(t, kv.Delete(t.Context(), "a.b", 0))
	require.NoError(t, kv.Delete(t.Context(), "never", 0))
	_, err = kv.Create(t.Context(), "a.b", []byte("3"))
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "no key", nil)
	require.Error(t, err)
	for _, key := range []string{"", "*", ">", "a..b", "a b"} {
		_, _, err = kv.Get(t.Context(), key)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), key)
	}
}

func TestWatchTellsWhatIsThereAndWhatChanges(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	kv := endpointsBucket(t, b)
	put(t, kv, "x.1", "old")
	put(t, kv, "x.gone", "old")
	put(t, kv, "y", "another pattern")
	require.NoError(t, kv.Delete(t.Context(), "x.gone", 0))
	second := put(t, kv, "x.2", "two")
	first := put(t, kv, "x.1", "one")

	w := watch(t, kv, "x.*")
	require.Equal(t, bus.KVEntry{Key: "x.2", Value: []byte("two"), Revision: second}, w.next(t), "in the order of their writing")
	require.Equal(t, bus.KVEntry{Key: "x.1", Value: []byte("one"), Revision: first}, w.next(t))
	<-w.ready
	third := put(t, kv, "x.1", "three")
	require.Equal(t, bus.KVEntry{Key: "x.1", Value: []byte("three"), Revision: third}, w.next(t))
	require.NoError(t, kv.Delete(t.Context(), "x.1", third))
	gone := w.next(t)
	require.Greater(t, gone.Revision, third)
	require.Equal(t, bus.KVEntry{Key: "x.1", Revision: gone.Revision, Deleted: true}, gone)
	w.stop()
	require.NoError(t, <-w.ended)
	require.Empty(t, w.entries)
}

func TestWatchOfNothingIsReady(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	w := watch(t, endpointsBucket(t, b), ">")
	<-w.ready
	require.Empty(t, w.entries)
	b2 := endpointsBucket(t, b)
	for _, pattern := range []string{"", "a..b", ">.a", "a b", "a."} {
		err := b2.Watch(t.Context(), pattern, func() {}, func(bus.KVEntry) {})
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), pattern)
	}
}

func TestWatchLeavesNoConsumer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	kv := endpointsBucket(t, s.Connect(t, "test"))
	w := watch(t, kv, ">")
	<-w.ready
	require.Equal(t, 1, consumers(t, s, "KV_mlsdm_endpoints"))
	w.stop()
	require.NoError(t, <-w.ended)
	remain(t, s, "KV_mlsdm_endpoints", 0)
}

// consumers counts the consumers of a stream.
func consumers(t *testing.T, s *bustest.Server, stream string) int {
	t.Helper()
	js, err := jetstream.New(s.Conn(t))
	require.NoError(t, err)
	str, err := js.Stream(t.Context(), stream)
	require.NoError(t, err)
	return str.CachedInfo().State.Consumers
}

func TestWatchOutlivesTheServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	kv := endpointsBucket(t, s.Connect(t, "test"))
	for _, key := range []string{"same", "changed", "deleted", "remade"} {
		put(t, kv, key, "before")
	}
	w := watch(t, kv, ">")
	for range 4 {
		w.next(t)
	}
	<-w.ready
	for round := range 3 {
		s.Restart(t)
		now := string(rune('0' + round))
		// Connected before the watch is, so that it misses most of this.
		other := endpointsBucket(t, s.Connect(t, "other"))
		put(t, other, "changed", "for a moment")
		put(t, other, "changed", now)
		put(t, other, "new"+now, now)
		require.NoError(t, other.Delete(t.Context(), "remade", 0))
		put(t, other, "remade", now)
		require.NoError(t, other.Delete(t.Context(), "deleted", 0))
		w.until(t, map[string]string{"changed": now, "new" + now: now, "remade": now, "deleted": "(deleted)"})
		put(t, other, "deleted", now)
		w.until(t, map[string]string{"deleted": now})
	}
	w.stop()
	require.NoError(t, <-w.ended)
	require.Empty(t, w.entries, "what has not changed is not told again")
}

// TestWatchOfABucketMadeAgain: an operator deletes the bucket and restores an older one.
func TestWatchOfABucketMadeAgain(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	kv := endpointsBucket(t, b)
	put(t, kv, "same.revision", "before")
	put(t, kv, "gone", "before")
	put(t, kv, "older", "before")
	w := watch(t, kv, ">")
	for range 3 {
		w.next(t)
	}
	<-w.ready
	js, err := jetstream.New(s.Conn(t))
	require.NoError(t, err)
	require.NoError(t, js.DeleteStream(t.Context(), "KV_mlsdm_endpoints"))
	s.Provision(t)
	kv = endpointsBucket(t, b)
	put(t, kv, "same.revision", "after")
	put(t, kv, "older", "after")

	first, second := w.next(t), w.next(t)
	require.Equal(t, bus.KVEntry{Key: "same.revision", Revision: 2, Deleted: true}, first)
	require.Equal(t, bus.KVEntry{Key: "same.revision", Value: []byte("after"), Revision: 1}, second)
	w.until(t, map[string]string{"older": "after", "gone": "(deleted)"})
	put(t, kv, "gone", "after all")
	w.until(t, map[string]string{"gone": "after all"})
}

func TestWatchEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	w := watch(t, endpointsBucket(t, b), ">")
	<-w.ready
	require.NoError(t, b.Close(t.Context()))
	require.Equal(t, events.CodeUnavailable, events.CodeOf(<-w.ended))
}
