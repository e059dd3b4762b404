package moral

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// stateKey is the one key in the bucket.
const stateKey = "state"

// How outcomes are written.
const (
	flushEvery  = 200 * time.Millisecond
	flushAfter  = 64      // decisions
	maxPending  = 1 << 16 // outcomes that wait while the bucket cannot be reached
	maxTries    = 20      // of one flush, against others
	lastFlush   = 3 * time.Second
	maxReplicas = 64 // of which the last batch is remembered
)

// bucket is the KV bucket; [bus.KV] is one.
type bucket interface {
	Get(ctx context.Context, key string) ([]byte, uint64, error)
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, pattern string, ready func(), changed func(bus.KVEntry)) error
}

// stored is what the bucket holds.
type stored struct {
	State
	// Batches are the last ones of the replicas, by their names, which are random and last as long as their processes.
	Batches map[string]batch `json:"batches,omitempty"`
}

// batch says which of its batches a replica wrote last, and what the count was then.
type batch struct {
	Number uint64 `json:"n"`
	Count  uint64 `json:"count"`
}

// with is the state after a batch. The batches that have been the last for the longest are forgotten; they only matter to a
// replica that does not know whether its last one was written.
func (s stored) with(p policy, replica string, number uint64, outcomes []bool) stored {
	next := stored{State: p.fold(s.State, outcomes), Batches: make(map[string]batch, len(s.Batches)+1)}
	maps.Copy(next.Batches, s.Batches)
	next.Batches[replica] = batch{Number: number, Count: next.Count}
	for len(next.Batches) > maxReplicas {
		oldest := ""
		for name, b := range next.Batches {
			if name != replica && (oldest == "" || b.Count < next.Batches[oldest].Count) {
				oldest = name
			}
		}
		delete(next.Batches, oldest)
	}
	return next
}

// shared is what a replica knows of the state that all share, and what the others do not know of it yet.
type shared struct {
	policy  policy
	replica string
	log     *slog.Logger
	lost    func(n int) // is told of outcomes that are given up
	wake    chan struct{}

	mu       sync.Mutex
	base     stored // as the bucket was last seen
	revision uint64 // of base; 0: there is none
	pending  []bool // outcomes that are not in base, the oldest first
	flying   int    // how many of these are being written
	number   uint64 // of the batch that is being written, or was last
	now      State  // base and pending
}

func newShared(p policy, log *slog.Logger, lost func(int)) *shared {
	return &shared{
		policy: p, replica: rand.Text(), log: log, lost: lost, wake: make(chan struct{}, 1),
		base: stored{State: p.fresh()}, now: p.fresh(),
	}
}

// state returns the state as it is known here, and how many outcomes the others do not know.
func (s *shared) state() (State, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, len(s.pending)
}

// decide decides about a score, by the threshold that it returns.
func (s *shared) decide(score float64) (threshold float64, accepted bool) {
	s.mu.Lock()
	threshold = s.now.Threshold
	accepted = s.policy.accepts(score, threshold)
	s.add(accepted)
	s.mu.Unlock()
	return threshold, accepted
}

// note takes an outcome into account that was decided before.
func (s *shared) note(accepted bool) {
	s.mu.Lock()
	s.add(accepted)
	s.mu.Unlock()
}

// add is called with the lock held.
func (s *shared) add(accepted bool) {
	s.now = s.policy.next(s.now, accepted)
	if len(s.pending) == maxPending {
		s.lost(1)
		if s.flying == len(s.pending) { // none of these can be given up any more
			return
		}
		s.pending = slices.Delete(s.pending, s.flying, s.flying+1)
	}
	s.pending = append(s.pending, accepted)
	if len(s.pending) >= flushAfter && s.flying == 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// see takes what the bucket said. What is older than what is known is ignored.
func (s *shared) see(e bus.KVEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Key != stateKey || e.Revision <= s.revision {
		return
	}
	if e.Deleted { // somebody wants it to begin anew
		s.rebase(stored{State: s.policy.fresh()}, 0)
		return
	}
	s.rebase(s.decode(e.Value), e.Revision)
}

// decode reads a stored state. One that cannot be read counts as none, and is written over.
func (s *shared) decode(value []byte) stored {
	var v stored
	if err := json.Unmarshal(value, &v); err != nil || v.Threshold == 0 && v.Count == 0 {
		s.log.Warn("the stored state of the moral filter cannot be read; it begins anew", "bytes", len(value))
		return stored{State: s.policy.fresh()}
	}
	v.State = s.policy.sane(v.State)
	return v
}

// rebase goes on from another state, with what is not in it. It is called with the lock held.
func (s *shared) rebase(base stored, revision uint64) {
	s.base, s.revision = base, revision
	if s.flying > 0 && base.Batches[s.replica].Number >= s.number {
		s.landed()
	}
	s.now = s.policy.fold(base.State, s.pending)
}

// landed takes the batch that was being written from what is pending. It is called with the lock held.
func (s *shared) landed() {
	s.pending = slices.Delete(s.pending, 0, s.flying)
	s.flying = 0
}

// flush writes the outcomes that are pending. After an error it is not known whether they were written: the next flush finds out.
func (s *shared) flush(ctx context.Context, kv bucket) error {
	for range maxTries {
		d, err := s.take()
		if d.value == nil || err != nil {
			return err
		}
		var written uint64
		if d.revision == 0 {
			written, err = kv.Create(ctx, stateKey, d.value)
		} else {
			written, err = kv.Update(ctx, stateKey, d.value, d.revision)
		}
		switch {
		case err == nil:
			if s.wrote(d, written); d.whole {
				return nil
			}
		case !errors.Is(err, bus.ErrConflict):
			return err
		default:
			if err := s.refresh(ctx, kv); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the state of the moral filter is changed by others all the time: %w", bus.ErrConflict)
}

// draft is what is to be written.
type draft struct {
	value    []byte // nil: nothing
	revision uint64 // in whose place
	number   uint64 // of the batch
	whole    bool   // the batch is all that is pending
}

// take makes a batch of what is pending, unless there is one that may have been written.
func (s *shared) take() (draft, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flying == 0 {
		if len(s.pending) == 0 {
			return draft{}, nil
		}
		s.flying = len(s.pending)
		s.number++
	}
	value, err := json.Marshal(s.base.with(s.policy, s.replica, s.number, s.pending[:s.flying]))
	if err != nil {
		return draft{}, fmt.Errorf("writing the state of the moral filter: %w", err)
	}
	return draft{value: value, revision: s.revision, number: s.number, whole: s.flying == len(s.pending)}, nil
}

// wrote takes into account that a batch was written.
func (s *shared) wrote(d draft, revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if revision > s.revision { // else the watch was faster
		s.rebase(s.decode(d.value), revision)
	}
	if s.flying > 0 && s.number == d.number { // what the watch brought has it no more
		s.landed()
		s.now = s.policy.fold(s.base.State, s.pending)
	}
}

// refresh reads the bucket.
func (s *shared) refresh(ctx context.Context, kv bucket) error {
	value, revision, err := kv.Get(ctx, stateKey)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, bus.ErrNotFound):
		s.rebase(stored{State: s.policy.fresh()}, 0)
		return nil
	case err != nil:
		return err
	}
	s.rebase(s.decode(value), revision)
	return nil
}

// run writes and watches until ctx ends; then it writes what is left. The function ready is called when the stored state is known.
func (s *shared) run(ctx context.Context, kv bucket, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var writing sync.WaitGroup
	writing.Go(func() { s.write(ctx, kv) })
	err := kv.Watch(ctx, stateKey, ready, s.see)
	cancel()
	writing.Wait()
	return err
}

// write flushes at intervals, and whenever much is pending.
func (s *shared) write(ctx context.Context, kv bucket) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	failing := false
	for {
		var err error
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			if err := s.flush(ctx, kv); err != nil {
				_, n := s.state()
				s.lost(n)
				s.log.ErrorContext(ctx, "the last decisions of the moral filter could not be written", "decisions", n, "err", err)
			}
			return
		case <-ticker.C:
			err = s.flush(ctx, kv)
		case <-s.wake:
			if !failing { // then it is tried at intervals only
				err = s.flush(ctx, kv)
			} else {
				continue
			}
		}
		switch {
		case ctx.Err() != nil:
		case err != nil && !failing:
			s.log.WarnContext(ctx, "the state of the moral filter cannot be written; this replica goes on alone until it can", "err", err)
		case err == nil && failing:
			s.log.InfoContext(ctx, "the state of the moral filter is shared again")
		}
		failing = err != nil
	}
}
