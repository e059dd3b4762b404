package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// view is what the bucket holds, as this replica last heard: of all repositories, whoever leads them.
type view struct {
	kv    *bus.KV
	log   *slog.Logger
	ready chan struct{}

	mu      sync.Mutex
	states  map[string]stored
	records map[string]record
	quotas  map[string]events.CIQuota
	broken  map[string]error // keys whose values cannot be read
	changed chan struct{}    // closed, and another in its place, whenever something changes
}

// stored is a state and the revision under which it is stored.
type stored struct {
	state    tracker.State
	revision uint64
}

func newView(kv *bus.KV, log *slog.Logger) *view {
	return &view{
		kv: kv, log: log, ready: make(chan struct{}), changed: make(chan struct{}),
		states: map[string]stored{}, records: map[string]record{}, quotas: map[string]events.CIQuota{}, broken: map[string]error{},
	}
}

// run follows the bucket until ctx ends.
func (v *view) run(ctx context.Context) error {
	return v.kv.Watch(ctx, ">", func() { close(v.ready) }, func(e bus.KVEntry) { v.take(ctx, e) })
}

// take takes in one value.
func (v *view) take(ctx context.Context, e bus.KVEntry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.broken, e.Key)
	err := v.read(e)
	if err != nil {
		v.broken[e.Key] = err
		v.log.ErrorContext(ctx, "a value in the bucket cannot be read; it is left alone", "key", e.Key, "err", err)
	}
	close(v.changed)
	v.changed = make(chan struct{})
}

// read reads one value.
func (v *view) read(e bus.KVEntry) error {
	switch {
	case strings.HasPrefix(e.Key, stateKeys):
		if e.Deleted {
			delete(v.states, e.Key)
			return nil
		}
		if v.states[e.Key].revision >= e.Revision {
			return nil // it was this replica that wrote it
		}
		state, err := tracker.Decode(e.Value)
		if err != nil {
			return err
		}
		v.states[e.Key] = stored{state: state, revision: e.Revision}
	case strings.HasPrefix(e.Key, recordKeys):
		if e.Deleted {
			delete(v.records, e.Key)
			return nil
		}
		r, err := decodeRecord(e.Value)
		if err != nil {
			return err
		}
		v.records[e.Key] = r
	case strings.HasPrefix(e.Key, quotaKeys):
		if e.Deleted {
			delete(v.quotas, e.Key)
			return nil
		}
		var q events.CIQuota
		if err := json.Unmarshal(e.Value, &q); err != nil {
			return err
		}
		v.quotas[e.Key] = q
	}
	return nil
}

// put takes in what this replica has written, before the bucket tells.
func (v *view) put(key string, s stored) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.states[key].revision < s.revision {
		v.states[key] = s
	}
}

// all returns the states by their keys.
func (v *view) all() map[string]stored {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.states)
}

// state returns a state.
func (v *view) state(key string) (tracker.State, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok := v.states[key]
	return s.state, ok
}

// record returns a repository's record; an empty one when there is none.
func (v *view) record(key string) record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.records[key]
}

// told returns the quotas, ordered, and the records.
func (v *view) told() ([]events.CIQuota, []record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	quotas := make([]events.CIQuota, 0, len(v.quotas))
	for _, key := range slices.Sorted(maps.Keys(v.quotas)) {
		quotas = append(quotas, v.quotas[key])
	}
	for _, key := range slices.Sorted(maps.Keys(v.broken)) {
		return quotas, slices.Collect(maps.Values(v.records)), events.Errorf(events.CodeFailedPrecondition, "KV key %s: %w; delete it to start anew", key, v.broken[key])
	}
	return quotas, slices.Collect(maps.Values(v.records)), nil
}

// until waits until what is true, which is looked at again whenever something changes.
func (v *view) until(ctx context.Context, what func() bool) error {
	for {
		v.mu.Lock()
		changed := v.changed
		v.mu.Unlock()
		if what() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
