package watch

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// entryOf is a state as the bucket tells it.
func entryOf(t testing.TB, repository string, revision uint64) bus.KVEntry {
	t.Helper()
	run := forge.Run{
		Repository: repository, ID: 1, Attempt: 1, Number: 1, WorkflowID: 7, Workflow: "CI", Branch: "main", Done: true, Conclusion: forge.Failure,
		CompletedAt: time.Now(),
	}
	s := tracker.New(identityOf("github", run)).Listed([]forge.Run{run}, time.Now()).Begin(time.Now().Add(-time.Hour), tracker.Rules{})
	s, _ = s.Advance(tracker.Rules{}, time.Now(), time.Now())
	value, err := s.Encode()
	require.NoError(t, err)
	return bus.KVEntry{Key: stateKey("github", run), Value: value, Revision: revision}
}

func TestViewForgetsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	v := newView(nil, quiet())
	e := entryOf(t, "acme/one", 5)
	v.take(t.Context(), e)
	_, ok := v.state(e.Key)
	require.True(t, ok)
	v.take(t.Context(), bus.KVEntry{Key: e.Key, Value: []byte(`{"version": 99}`), Revision: 6})
	_, ok = v.state(e.Key)
	require.False(t, ok, "what was there is out of date")
	_, _, broken := v.told()
	require.ErrorContains(t, broken, e.Key)
	e.Revision = 7
	v.take(t.Context(), e)
	_, _, broken = v.told()
	require.NoError(t, broken)
}

func TestViewGoesForwards(t *testing.T) {
	t.Parallel()
	v := newView(nil, quiet())
	e := entryOf(t, "acme/one", 5)
	v.take(t.Context(), e)
	state, _ := v.state(e.Key)
	v.put(e.Key, stored{state: state, revision: 9})
	v.take(t.Context(), bus.KVEntry{Key: e.Key, Deleted: true, Revision: 8})
	require.Equal(t, uint64(9), v.revision(e.Key), "it was written after it was deleted")
	v.put(e.Key, stored{state: state, revision: 7})
	require.Equal(t, uint64(9), v.revision(e.Key))
	v.take(t.Context(), bus.KVEntry{Key: e.Key, Deleted: true, Revision: 10})
	require.Zero(t, v.revision(e.Key))
	v.putRecord("repo.github.a/b", storedRecord{revision: 3, record: record{Branch: "main"}})
	v.putRecord("repo.github.a/b", storedRecord{revision: 2})
	require.Equal(t, "main", v.record("repo.github.a/b").Branch)
}

// manyStates is a replica that leads everything, and has ten thousand states.
func manyStates(t testing.TB) *Watch {
	t.Helper()
	every, err := policy.NewPattern("acme/*")
	require.NoError(t, err)
	w, err := New(Config{Rules: policy.Rules{{Name: "all", FailuresToAlert: 3}}}, nil, quiet(), nil)
	require.NoError(t, err)
	w.repositories = newRepositories([]Wanted{{Forge: "github", Owner: "acme", Pattern: every, Name: "acme/*"}})
	w.view = newView(nil, quiet())
	for i := range 10_000 {
		w.view.take(t.Context(), entryOf(t, fmt.Sprintf("acme/repository-%05d", i), uint64(i)+1))
	}
	close(w.view.ready)
	close(w.begun)
	for shard := range events.CIShards {
		w.leaders[shard] = &leader{Watch: w, book: newBook()}
		w.leaders[shard].lease.Shard = shard
	}
	return w
}

// Of too many states some are told of, the same ones each time: replies have room in a message, and metrics have an end.
func TestManyStates(t *testing.T) {
	t.Parallel()
	w := manyStates(t)
	status, err := w.Status(t.Context(), events.CIStatusRequest{})
	require.NoError(t, err)
	require.LessOrEqual(t, len(status.Workflows), events.MaxCIStatus)
	require.NotEmpty(t, status.Workflows)
	require.Equal(t, 10_000, len(status.Workflows)+status.More)
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(newStates(w)))
	series := func() (told []string) {
		families, err := registry.Gather()
		require.NoError(t, err)
		for _, family := range families {
			for _, m := range family.GetMetric() {
				told = append(told, family.GetName()+fmt.Sprint(m.GetLabel()))
			}
		}
		return told
	}
	first := series()
	require.LessOrEqual(t, len(first), maxSeries*20)
	require.True(t, slices.Equal(first, series()), "they are the same ones")
}

func TestFitting(t *testing.T) {
	t.Parallel()
	all := []string{"aaaa", "bbbb", "cccc"} // seven bytes each, with quotes and comma
	require.Len(t, fitting(all, 10, 1000), 3)
	require.Len(t, fitting(all, 2, 1000), 2)
	require.Len(t, fitting(all, 10, 14), 2)
	require.Empty(t, fitting(all, 10, 6))
}

// What is put off is tried again later each time, and logged once a minute.
func TestMissed(t *testing.T) {
	t.Parallel()
	w := &Watch{log: quiet()}
	l := &leader{Watch: w, book: newBook()}
	now := time.Now()
	var waits []time.Duration
	for range 8 {
		l.missed(t.Context(), "key", now, errOvertaken)
		waits = append(waits, l.book.late["key"].next.Sub(now))
	}
	require.Less(t, waits[0], 3*time.Second)
	require.Greater(t, waits[7], 30*time.Second)
	require.Equal(t, now.Add(logEvery), l.book.quiet)
}

// Looking for what is due costs little, however many states there are: it is done every second for each part.
func BenchmarkNothingIsDue(b *testing.B) {
	w := manyStates(b)
	for b.Loop() {
		w.leaders[0].advanceDue(b.Context(), time.Now())
	}
}
