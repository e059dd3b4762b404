// Package ledger remembers which version of each secret was seen last, and tells once when it is another.
//
// What it knows stands in the KV bucket of secrets, one key a secret, so that all replicas of secretd share it and a rotation is
// noticed over restarts: name, store, version and times, never a value and nothing made of one. Of several replicas that see a new
// version, the one that writes it down tells of it. It writes first that nobody has told yet, then publishes, then writes that it
// was told; so what a crash cuts short is done again, by any replica and under the same id.
package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// KeySigner is the key of the bucket that holds the public key with which secretd signs.
const KeySigner = "signer"

const (
	prefix    = "seen."
	queued    = 4096             // sightings that wait
	attempts  = 5                // at a key that others write too
	tick      = 10 * time.Second // between two looks for what nobody has told of
	openRetry = time.Second
	tries     = 10          // of something that could not be written down
	again     = time.Second // between these
)

// Seen is a secret as a store has just given it.
type Seen struct {
	// Name is the secret's logical name, or the reference by which it was asked for.
	Name string
	// Source and Version are those of its store.
	Source, Version string
	// FetchedAt is when the store was asked.
	FetchedAt time.Time
	// Rotated says that it is another value than this replica knew before. It is what tells where there are no versions.
	Rotated bool
}

// Entry is what is known of a secret.
type Entry struct {
	Name    string `json:"name"`
	Source  string `json:"source"`
	Version string `json:"version,omitempty"`
	// PreviousVersion is what Version was before.
	PreviousVersion string `json:"previous_version,omitempty"`
	// Since is when this version was first seen.
	Since time.Time `json:"since"`
	// Untold says that nobody has published that it is another than before.
	Untold bool `json:"untold,omitempty"`
	// OutSince is since when its store could not be asked and its value was past its time; zero when it can.
	OutSince time.Time `json:"out_since,omitzero"`
}

// known is an entry as it stands in the bucket.
type known struct {
	Entry

	revision uint64
}

// Ledger is the bucket. Make one with [New]; it is safe for concurrent use.
type Ledger struct {
	bus     *bus.Bus
	kv      *bus.KV // set by Run
	source  string  // of events
	log     *slog.Logger
	jobs    chan job
	changed func(Entry)

	mu     sync.RWMutex
	known  map[string]known // by name
	untold map[string]time.Time
}

// New returns a ledger that publishes events as source. It calls changed, which must not block, whenever it learns of an entry that
// is new or another than before, whoever wrote it.
func New(b *bus.Bus, source string, log *slog.Logger, changed func(Entry)) *Ledger {
	return &Ledger{
		bus: b, source: source, log: log, jobs: make(chan job, queued), changed: changed,
		known: make(map[string]known), untold: make(map[string]time.Time),
	}
}

// Known returns what is known of a secret.
func (l *Ledger) Known(name string) (Entry, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	k, ok := l.known[name]
	return k.Entry, ok
}

// Saw takes note of a secret that a store gave. It does not wait; what there is no room for is noted when it is seen next.
func (l *Ledger) Saw(s Seen) {
	if known, ok := l.Known(s.Name); ok && !s.Rotated && known.is(s) && known.OutSince.IsZero() {
		return
	}
	l.queue(job{do: func(ctx context.Context) error { return l.saw(ctx, s) }})
}

// job is something to write down.
type job struct {
	do    func(context.Context) error
	tried int
}

// queue has a job done if there is room for it.
func (l *Ledger) queue(j job) {
	select {
	case l.jobs <- j:
	default:
	}
}

// Out takes note that a secret's value is past its time and that its store cannot be asked since then, and tells, once for an
// outage. It waits for room.
func (l *Ledger) Out(ctx context.Context, name, source string, since time.Time) {
	o := &outage{name: name, source: source, since: since}
	select {
	case l.jobs <- job{do: func(ctx context.Context) error { return l.out(ctx, o) }}:
	case <-ctx.Done():
	}
}

// is reports whether the entry is of what was seen.
func (e Entry) is(s Seen) bool { return e.Source == s.Source && e.Version == s.Version }

// Run reads the bucket, follows it, and writes down what is seen, until ctx ends, when it returns nil.
func (l *Ledger) Run(ctx context.Context) error {
	for {
		kv, err := l.bus.KV(ctx, events.BucketSecrets)
		if err == nil {
			l.kv = kv
			break
		}
		l.log.WarnContext(ctx, "the bucket of secrets cannot be opened; trying until it can", "err", err)
		select {
		case <-time.After(openRetry):
		case <-ctx.Done():
			return nil
		}
	}
	read := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.kv.Watch(ctx, prefix+">", func() { close(read) }, l.learn) })
	group.Go(func() error {
		select {
		case <-read: // before that, everything would look new
			l.work(ctx)
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}

// Publish writes down the public key with which this secretd signs, for callers to find, and returns the one that stood there.
func (l *Ledger) Publish(ctx context.Context, key string) (before string, err error) {
	kv, err := l.bus.KV(ctx, events.BucketSecrets)
	if err != nil {
		return "", err
	}
	if before, err = l.Published(ctx); err != nil || before == key {
		return before, err
	}
	_, err = kv.Put(ctx, KeySigner, []byte(key))
	return before, err
}

// Published returns the public key by which callers know their secretd; empty when none stands there.
func (l *Ledger) Published(ctx context.Context) (string, error) {
	kv, err := l.bus.KV(ctx, events.BucketSecrets)
	if err != nil {
		return "", err
	}
	key, _, err := kv.Get(ctx, KeySigner)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return "", err
	}
	return string(key), nil
}

// work does what there is to do.
func (l *Ledger) work(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for err := l.tellUntold(ctx, 0); ; {
		if err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "what was seen of a secret could not be written down or told; it is tried again", "err", err)
		}
		select {
		case j := <-l.jobs:
			if err = j.do(ctx); err != nil && j.tried < tries {
				time.AfterFunc(again, func() { l.queue(job{j.do, j.tried + 1}) })
			}
		case <-ticker.C:
			err = l.tellUntold(ctx, tick/2)
		case <-ctx.Done():
			return
		}
	}
}

// learn takes in an entry of the bucket.
func (l *Ledger) learn(e bus.KVEntry) {
	var k known
	if !e.Deleted {
		if err := json.Unmarshal(e.Value, &k.Entry); err != nil || key(k.Name) != e.Key {
			l.log.Warn("an entry of the bucket of secrets cannot be read; it is as if there were none", "key", e.Key)
			return
		}
		k.revision = e.Revision
		l.take(k)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.known {
		if key(name) == e.Key {
			delete(l.known, name)
			delete(l.untold, name)
			return
		}
	}
}

// take makes an entry the one that is known, unless a later one is.
func (l *Ledger) take(k known) {
	l.mu.Lock()
	before, had := l.known[k.Name]
	if had && before.revision >= k.revision {
		l.mu.Unlock()
		return
	}
	l.known[k.Name] = k
	if !k.Untold {
		delete(l.untold, k.Name)
	} else if _, waits := l.untold[k.Name]; !waits {
		l.untold[k.Name] = time.Now()
	}
	l.mu.Unlock()
	if !had || before.Source != k.Source || before.Version != k.Version {
		l.changed(k.Entry)
	}
}

// key is where the entry of a secret stands. References, and what could not be a key, stand under their hash.
func key(name string) string {
	if _, err := secret.ParseName(name); err == nil && !strings.HasSuffix(name, ".") {
		return prefix + "name." + name
	}
	sum := sha256.Sum256([]byte(name))
	return prefix + "hash." + hex.EncodeToString(sum[:16])
}

// write writes an entry over the one of that revision; 0 is none.
func (l *Ledger) write(ctx context.Context, e Entry, revision uint64) (known, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return known{}, fmt.Errorf("%s: %w", e.Name, err)
	}
	var next uint64
	if revision == 0 {
		next, err = l.kv.Create(ctx, key(e.Name), body)
	} else {
		next, err = l.kv.Update(ctx, key(e.Name), body, revision)
	}
	if err != nil {
		return known{}, err
	}
	k := known{e, next}
	l.take(k)
	return k, nil
}

// read reads an entry past what is known.
func (l *Ledger) read(ctx context.Context, name string) (known, error) {
	body, revision, err := l.kv.Get(ctx, key(name))
	if errors.Is(err, bus.ErrNotFound) {
		l.mu.Lock()
		delete(l.known, name)
		l.mu.Unlock()
		return known{}, nil
	}
	var k known
	if err == nil {
		err = json.Unmarshal(body, &k.Entry)
	}
	if err != nil {
		return known{}, fmt.Errorf("%s: %w", name, err)
	}
	k.revision = revision
	l.take(k)
	return k, nil
}

// change writes what becomes makes of the entry of a secret, unless that is nothing, and returns what was written. It is made anew
// when somebody else writes in between.
func (l *Ledger) change(ctx context.Context, name string, becomes func(known) (Entry, bool)) (known, bool, error) {
	l.mu.RLock()
	now := l.known[name]
	l.mu.RUnlock()
	for range attempts {
		next, wanted := becomes(now)
		if !wanted {
			return now, false, nil
		}
		k, err := l.write(ctx, next, now.revision)
		if err == nil {
			return k, true, nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return known{}, false, err
		}
		if now, err = l.read(ctx, name); err != nil {
			return known{}, false, err
		}
	}
	return known{}, false, fmt.Errorf("%s: %w, again and again", name, bus.ErrConflict)
}
