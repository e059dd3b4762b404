// Package cached keeps what stores of secrets answered, so that a store is asked seldom and may be away for a while.
//
// A value is fresh for nine to ten tenths of its TTL, and is asked for again in the background when four fifths of that are
// over. Past its time it is served, as stale, only where the store could not be asked (it was away, too slow, overloaded) and
// only until it is MaxStale old; never past the end of a lease. A store that answers something else than a value ends what was
// known of the secret at once: it was deleted, disabled or taken from us, and somebody meant it.
//
// Values are kept sealed (AES-256-GCM, a key of this process that is made at its start) and the ciphertext is overwritten when
// a value is dropped. That keeps secrets out of what is found by looking through memory, swap or a core dump for text. It does
// not keep them from who reads the process's memory with care: the key is there too. Go gives no means to overwrite a string,
// so what a store gave, and what [Cache.Get] returned, stays in memory until the collector reuses it.
package cached

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// ErrNoStore is wrapped by the errors of [Cache.Get] for a reference to a store that was not given to [New].
var ErrNoStore = errors.New("there is no such store of secrets here")

// Options are the wishes of one [Cache.Get].
type Options struct {
	// TTL and MaxStale replace those of [Config] where they are not zero; a negative MaxStale, as [Never], is none. Each Get is
	// judged by its own; the background goes by the TTL of the latest.
	TTL, MaxStale time.Duration
	// NoCache asks the store now, whatever is known, and never gives a stale value. A call to the store that began within the
	// last Interval of [Config] counts as now; the store is asked once more when that is over, so that no rotation is missed.
	NoCache bool
	// Passive does not count as a use, for which a value is refreshed in the background: it is for who looks after values, as an
	// [Observer] does, and wants none.
	Passive bool
}

// Found is a secret that was found.
type Found struct {
	// Entry is what the store answered.
	secret.Entry

	// FetchedAt is when the store was asked.
	FetchedAt time.Time
	// ExpiresAt is when the value ceases to be what it is now: fresh, or, with Stale, served at all. It is never behind the end
	// of the lease (Entry.ExpiresAt).
	ExpiresAt time.Time
	// Stale says that the value is past its time and that the store could not be asked.
	Stale bool
	// Rotated says that the call which brought this value found another one than was known before, whose version was Previous.
	Rotated  bool
	Previous string
}

// Cache is a cache over stores. Make one with [New]; it is safe for concurrent use.
type Cache struct {
	cfg      Config
	stores   map[string]*store
	observer Observer
	sealer   *sealer
	metrics  *metrics

	ctx    context.Context // of the calls to stores; it ends with Close
	cancel context.CancelFunc
	calls  sync.WaitGroup // calls to stores, and what tells the observer
	wake   chan struct{}  // tells Run that there is something earlier to do, or room to do it

	mu         sync.Mutex
	closed     bool
	entries    map[secret.Ref]*entry
	recent     recency
	agenda     agenda
	bytes      int64
	background int      // calls in flight that nobody asked for
	news       []func() // to tell to the log and the observer
	telling    bool
}

// New returns a cache over stores, by the names that references have for them. An observer may be nil. Nothing is asked yet.
func New(stores map[string]secret.Store, cfg Config, observer Observer) (*Cache, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("cache of secrets: %w", err)
	}
	sealer, err := newSealer()
	if err != nil {
		return nil, fmt.Errorf("cache of secrets: %w", err)
	}
	if observer == nil {
		observer = nobody{}
	}
	c := &Cache{
		cfg: cfg, stores: make(map[string]*store, len(stores)), observer: observer, sealer: sealer,
		wake: make(chan struct{}, 1), entries: make(map[secret.Ref]*entry),
	}
	if c.metrics, err = newMetrics(c); err != nil {
		return nil, err
	}
	for name, s := range stores {
		c.stores[name] = newStore(name, s, cfg, c.metrics)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close ends the calls to stores, waits for them and for the observer, and overwrites what is known. What is asked for
// afterwards is [secret.ErrUnavailable].
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.calls.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		c.forget(e)
	}
}

// errClosed is what is answered after Close.
func errClosed() error {
	return fmt.Errorf("%w: the cache of secrets is closed", secret.ErrUnavailable)
}
