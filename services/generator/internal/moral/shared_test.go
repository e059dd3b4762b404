package moral_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

var errBroken = errors.New("the connection broke")

// memory is a bucket of one key that can fail, and writes down who wrote what.
type memory struct {
	mu       sync.Mutex
	value    []byte
	revision uint64
	history  [][]byte
	before   func() error // a write fails by it, and is not made
	after    func() error // a write fails by it, and is made
}

func (m *memory) Get(context.Context, string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.value == nil {
		return nil, 0, bus.ErrNotFound
	}
	return m.value, m.revision, nil
}

func (m *memory) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return m.Update(ctx, key, value, 0)
}

func (m *memory) Update(_ context.Context, _ string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before != nil {
		if err := m.before(); err != nil {
			return 0, err
		}
	}
	if m.value == nil && revision != 0 || m.value != nil && revision != m.revision {
		return 0, bus.ErrConflict
	}
	m.revision++
	m.value = value
	m.history = append(m.history, value)
	if m.after != nil {
		if err := m.after(); err != nil {
			return 0, err
		}
	}
	return m.revision, nil
}

func (*memory) Watch(ctx context.Context, _ string, ready func(), _ func(bus.KVEntry)) error {
	ready()
	<-ctx.Done()
	return nil
}

// tell tells a replica what is there now.
func (m *memory) tell(s moral.Shared) {
	m.mu.Lock()
	e := bus.KVEntry{Key: "state", Value: m.value, Revision: m.revision}
	m.mu.Unlock()
	if e.Value != nil {
		s.See(e)
	}
}

// content is what is written.
type content struct {
	moral.State

	Batches map[string]struct {
		N uint64 `json:"n"`
	} `json:"batches"`
}

func (m *memory) content(t *testing.T) content {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	return read(t, m.value)
}

func read(t *testing.T, value []byte) content {
	t.Helper()
	var c content
	require.NoError(t, json.Unmarshal(value, &c))
	return c
}

func newShared(t *testing.T) moral.Shared {
	t.Helper()
	return moral.NewShared(moral.Default(), bustest.Logger(t), func(int) { t.Error("outcomes are given up") })
}

// Three replicas note, write and hear in any order, while writes fail before and after they are made. What is written is, step by
// step, the fold of the next outcomes of one of them: none is lost, counted twice, or out of its order.
func TestEveryOutcomeIsCountedOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		kv := &memory{}
		fail := func() error {
			if rnd.IntN(5) == 0 {
				return errBroken
			}
			return nil
		}
		kv.before, kv.after = fail, fail
		var replicas []moral.Shared
		said := make(map[string][]bool)
		for range 3 {
			replicas = append(replicas, newShared(t))
		}
		for range 400 {
			s := replicas[rnd.IntN(len(replicas))]
			switch rnd.IntN(4) {
			case 0, 1:
				outcome := rnd.IntN(3) > 0
				said[s.Replica()] = append(said[s.Replica()], outcome)
				s.Note(outcome)
			case 2:
				if err := s.Flush(t.Context(), kv); err != nil {
					require.ErrorIs(t, err, errBroken)
				}
			default:
				kv.tell(s)
			}
			state, _ := s.State()
			require.GreaterOrEqual(t, state.Threshold, 0.3)
			require.LessOrEqual(t, state.Threshold, 0.9)
		}
		kv.before, kv.after = nil, nil
		total := 0
		for _, s := range replicas {
			require.NoError(t, s.Flush(t.Context(), kv))
			_, pending := s.State()
			require.Zero(t, pending)
			total += len(said[s.Replica()])
		}
		require.EqualValues(t, total, kv.content(t).Count)
		for _, s := range replicas {
			kv.tell(s)
			state, _ := s.State()
			require.Equal(t, kv.content(t).State, state, "all know the same in the end")
		}
		requireFolds(t, kv, said)
	}
}

// requireFolds checks that each value is the one before it and the next outcomes of who wrote it.
func requireFolds(t *testing.T, kv *memory, said map[string][]bool) {
	t.Helper()
	state := moral.Fresh(moral.Default())
	batches := map[string]uint64{}
	for _, value := range kv.history {
		c := read(t, value)
		writer := ""
		for name, b := range c.Batches {
			if b.N != batches[name] {
				require.Empty(t, writer, "one writes at a time")
				require.Equal(t, batches[name]+1, b.N, "each batch is written once")
				writer, batches[name] = name, b.N
			}
		}
		require.NotEmpty(t, writer)
		n := int(c.Count - state.Count)
		require.LessOrEqual(t, n, len(said[writer]))
		states := moral.Fold(moral.Default(), state, said[writer][:n]...)
		state = states[len(states)-1]
		said[writer] = said[writer][n:]
		require.Equal(t, state, c.State)
	}
}

// At the same time, too: the race detector looks on.
func TestReplicasWriteAtTheSameTime(t *testing.T) {
	t.Parallel()
	kv := &memory{}
	const replicas, each = 3, 500
	var working sync.WaitGroup
	for range replicas {
		s := newShared(t)
		for range 2 {
			working.Go(func() {
				for i := range each {
					s.Decide(float64(i%10) / 10)
					if i%20 == 19 {
						kv.tell(s)
					}
				}
			})
		}
		working.Go(func() {
			for {
				if err := s.Flush(t.Context(), kv); err != nil && !errors.Is(err, bus.ErrConflict) {
					t.Error(err)
					return
				}
				if countOf(kv) >= replicas*2*each {
					return
				}
				runtime.Gosched()
			}
		})
	}
	working.Wait()
	require.EqualValues(t, replicas*2*each, kv.content(t).Count)
}

func countOf(m *memory) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var c content
	if m.value == nil || json.Unmarshal(m.value, &c) != nil {
		return 0
	}
	return int(c.Count)
}

// A replica that starts goes on where the others are; one that dies takes with it what it had not written.
func TestRestartAndDeath(t *testing.T) {
	t.Parallel()
	kv := &memory{}
	first := newShared(t)
	for range 10 {
		first.Note(true)
	}
	require.NoError(t, first.Flush(t.Context(), kv))
	known, _ := first.State()
	for range moral.FlushAfter - 1 {
		first.Note(false)
	} // and it is gone

	second := newShared(t)
	kv.tell(second)
	state, _ := second.State()
	require.Equal(t, known, state)
	require.EqualValues(t, 10, state.Count)
	require.InDelta(t, 0.9, state.Threshold, 1e-12)
}

// A write whose answer was lost is not made again, whether the watch tells of it before the next try, or the next try finds out.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, watched := range []bool{false, true} {
		kv := &memory{after: func() error { return errBroken }}
		s := newShared(t)
		s.Note(true)
		s.Note(true)
		require.ErrorIs(t, s.Flush(t.Context(), kv), errBroken)
		s.Note(false)
		kv.after = nil
		if watched {
			kv.tell(s)
			_, pending := s.State()
			require.Equal(t, 1, pending)
		}
		require.NoError(t, s.Flush(t.Context(), kv))
		require.EqualValues(t, 3, kv.content(t).Count)
		state, pending := s.State()
		require.Zero(t, pending)
		require.Equal(t, kv.content(t).State, state)
	}
}

// Somebody's hand in the bucket stops nothing, and who deletes the state begins anew.
func TestHandInTheBucket(t *testing.T) {
	t.Parallel()
	for _, rubbish := range []string{"", "{", "null", "[]", `{"threshold":"x"}`, `{}`} {
		kv := &memory{value: []byte(rubbish), revision: 7}
		s := newShared(t)
		s.Note(true)
		require.NoError(t, s.Flush(t.Context(), kv), rubbish)
		require.EqualValues(t, 1, kv.content(t).Count)
	}
	kv := &memory{value: []byte(`{"threshold":7,"ema":-3,"count":5}`), revision: 7}
	s := newShared(t)
	kv.tell(s)
	state, _ := s.State()
	require.Equal(t, moral.State{Threshold: 0.9, EMA: 0, Count: 5}, state)

	s.See(bus.KVEntry{Key: "state", Revision: 8, Deleted: true})
	state, _ = s.State()
	require.Equal(t, moral.Fresh(moral.Default()), state)
	s.See(bus.KVEntry{Key: "other", Revision: 9, Value: []byte(`{"threshold":0.4,"ema":0.5,"count":5}`)})
	state, _ = s.State()
	require.Zero(t, state.Count)
}

// What cannot be written is kept within a bound, and decisions go on.
func TestManyPending(t *testing.T) {
	t.Parallel()
	lost := 0
	s := moral.NewShared(moral.Default(), bustest.Logger(t), func(n int) { lost += n })
	for range moral.MaxPending + 10 {
		s.Note(true)
	}
	state, pending := s.State()
	require.Equal(t, moral.MaxPending, pending)
	require.Equal(t, 10, lost)
	require.EqualValues(t, moral.MaxPending+10, state.Count)
	kv := &memory{}
	require.NoError(t, s.Flush(t.Context(), kv))
	require.EqualValues(t, moral.MaxPending, kv.content(t).Count)
}

// Replicas come and go, and the value does not grow for ever.
func TestManyReplicas(t *testing.T) {
	t.Parallel()
	kv := &memory{}
	for range 2 * moral.MaxReplicas {
		s := newShared(t)
		s.Note(true)
		require.NoError(t, s.Flush(t.Context(), kv))
	}
	c := kv.content(t)
	require.Len(t, c.Batches, moral.MaxReplicas)
	require.EqualValues(t, 2*moral.MaxReplicas, c.Count)
	require.Less(t, len(kv.value), 4096)
}

// As many outcomes as are kept are being written, and more come.
func TestMoreThanIsKeptWhileAllIsWritten(t *testing.T) {
	t.Parallel()
	lost := 0
	s := moral.NewShared(moral.Default(), bustest.Logger(t), func(n int) { lost += n })
	kv := &memory{}
	for range moral.MaxPending {
		s.Decide(0.95)
	}
	kv.before = func() error {
		kv.before = nil
		for range 10 {
			s.Decide(0.95)
		}
		return nil
	}
	require.NoError(t, s.Flush(t.Context(), kv))
	require.Equal(t, 10, lost)
	require.EqualValues(t, moral.MaxPending, kv.content(t).Count)
	s.Decide(0.95)
	require.NoError(t, s.Flush(t.Context(), kv))
	require.EqualValues(t, moral.MaxPending+1, kv.content(t).Count)
}
