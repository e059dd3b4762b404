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
	states  map[string]*entry
	records map[string]storedRecord
	quotas  map[string]events.CIQuota
	broken  map[string]error // keys whose values cannot be read
	changed chan struct{}    // closed, and another in its place, whenever something changes
}

// stored is a state and the revision under which it is stored.
type stored struct {
	state    tracker.State
	revision uint64
}

// entry is a stored state and whose it is. It is never changed.
type entry struct {
	stored

	key        string
	repository Repository
	shard      int
}

func newEntry(key string, s stored) *entry {
	r := Repository{Forge: s.state.Forge, Name: s.state.Repository}
	return &entry{stored: s, key: key, repository: r, shard: r.Shard()}
}

func newView(kv *bus.KV, log *slog.Logger) *view {
	return &view{
		kv: kv, log: log, ready: make(chan struct{}), changed: make(chan struct{}),
		states: map[string]*entry{}, records: map[string]storedRecord{}, quotas: map[string]events.CIQuota{}, broken: map[string]error{},
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
	if err := v.read(e); err != nil {
		v.broken[e.Key] = err
		v.log.ErrorContext(ctx, "a value in the bucket cannot be read; it is left alone", "key", e.Key, "err", err)
	}
	v.notify()
}

// notify wakes whoever waits for a change.
func (v *view) notify() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// read reads one value. What was known of a key whose value cannot be read is forgotten: it is out of date.
func (v *view) read(e bus.KVEntry) error {
	switch {
	case strings.HasPrefix(e.Key, stateKeys):
		if v.revision(e.Key) >= e.Revision {
			return nil // it was this replica that wrote it, or what came later
		}
		delete(v.states, e.Key)
		if e.Deleted {
			return nil
		}
		state, err := tracker.Decode(e.Value)
		if err != nil {
			return err
		}
		v.states[e.Key] = newEntry(e.Key, stored{state: state, revision: e.Revision})
	case strings.HasPrefix(e.Key, recordKeys):
		if v.records[e.Key].revision >= e.Revision {
			return nil
		}
		delete(v.records, e.Key)
		if e.Deleted {
			return nil
		}
		r, err := decodeRecord(e.Value)
		if err != nil {
			return err
		}
		v.records[e.Key] = storedRecord{record: r, revision: e.Revision}
	case strings.HasPrefix(e.Key, quotaKeys):
		delete(v.quotas, e.Key)
		if e.Deleted {
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

// revision is that of a state; 0 when there is none.
func (v *view) revision(key string) uint64 {
	if known, ok := v.states[key]; ok {
		return known.revision
	}
	return 0
}

// newer reports whether a state is known with a later revision.
func (v *view) newer(key string, than uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.revision(key) > than
}

// put takes in a state that this replica has written, before the bucket tells.
func (v *view) put(key string, s stored) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.revision(key) < s.revision {
		v.states[key] = newEntry(key, s)
		delete(v.broken, key)
		v.notify()
	}
}

// putRecord is put for a record.
func (v *view) putRecord(key string, r storedRecord) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.records[key].revision < r.revision {
		v.records[key] = r
		v.notify()
	}
}

// all returns the states, in no order.
func (v *view) all() []*entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]*entry, 0, len(v.states))
	for _, e := range v.states {
		all = append(all, e)
	}
	return all
}

// state returns a state.
func (v *view) state(key string) (tracker.State, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.states[key]; ok {
		return known.state, true
	}
	return tracker.State{}, false
}

// record returns a repository's record; an empty one when there is none.
func (v *view) record(key string) record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.records[key].record
}

// told returns the quotas, ordered, and the records, and says why a key cannot be read, if there is one.
func (v *view) told() ([]events.CIQuota, []record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	quotas := make([]events.CIQuota, 0, len(v.quotas))
	for _, key := range slices.Sorted(maps.Keys(v.quotas)) {
		quotas = append(quotas, v.quotas[key])
	}
	records := make([]record, 0, len(v.records))
	for _, known := range v.records {
		records = append(records, known.record)
	}
	if len(v.broken) == 0 {
		return quotas, records, nil
	}
	key := slices.Min(slices.Collect(maps.Keys(v.broken)))
	return quotas, records, events.Errorf(events.CodeFailedPrecondition, "KV key %s: %w; delete it to start anew", key, v.broken[key])
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
