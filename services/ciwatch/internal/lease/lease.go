// Package lease divides work among replicas: of each of its parts, the shards, one replica is the leader at a time, and each
// replica leads its even share of them. Who leads is written in a KV bucket by compare-and-set.
//
//	watch of the bucket ─► who is alive, who leads what ─► take what is free, give away what is too much
//	                                                             │
//	                                     a goroutine a shard: renew, end the work in time, give back
//
// What it promises:
//
//   - Of a shard, one lease at most is valid ([Lease.Valid]) at a time, whatever the network, the server or the scheduler does.
//   - The context of the work ends before another replica may lead; work that is held up can see by itself that it is late.
//   - A lease has a number ([Lease.Fence]) that is greater than that of every lease of the shard before it, by which
//     a store can refuse who was overtaken without knowing it.
//   - Whoever stops properly is succeeded at once, and who dies, within the time of a lease.
//
// No clocks are compared. A holder writes its key again and again; an observer counts, on its own clock, from when it saw a
// revision, and may take the key when that is still the last one after a lease's time. The holder counts from before it asked for the
// revision, so it always is over earlier on its side. What remains to be assumed is that clocks run at about the same speed: a tenth
// of a lease's time is kept for what they do not.
package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// DefaultTTL is how long a replica that has died is waited for, unless [Config] says otherwise.
const DefaultTTL = 10 * time.Second

// raceRest is how long a replica that was not fast enough waits to be told who was.
const raceRest = 200 * time.Millisecond

// minTTL leaves time for a request or two.
const minTTL = 50 * time.Millisecond

// Config says what is divided, and who takes part.
type Config struct {
	// Shards is the number of parts, the same for all replicas.
	Shards int
	// Name is what the replica is called in the bucket. It need not be unique: [New] adds something to it that is.
	Name string
	// TTL is how long a lease is good for without being renewed, the same for all replicas; 0 is [DefaultTTL], and
	// the least is 50 ms. It is renewed every third of it.
	TTL time.Duration
	// Logger is told who leads what; nil is nobody.
	Logger *slog.Logger
}

// Leases is a replica's part in the division.
type Leases struct {
	kv   *bus.KV
	cfg  Config
	name string
	log  *slog.Logger

	wake chan struct{} // something may be to be done

	mu   sync.Mutex
	view view
	held map[int]*held
	rest map[int]time.Time // shards that are left alone until then
}

// New makes a replica that does not take part yet. The bucket is for the leases alone.
func New(kv *bus.KV, cfg Config) *Leases {
	if cfg.TTL <= 0 {
		cfg.TTL = DefaultTTL
	}
	cfg.TTL = max(cfg.TTL, minTTL)
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Leases{
		kv: kv, cfg: cfg, name: cfg.Name + "-" + rand.Text()[:8], log: log,
		wake: make(chan struct{}, 1),
		view: newView(cfg.TTL, cfg.Shards), held: make(map[int]*held), rest: make(map[int]time.Time),
	}
}

// Name is the replica's name in the bucket: that of the configuration, and something random.
func (l *Leases) Name() string { return l.name }

// Holders returns the name of each shard's leader as this replica sees it; empty is none.
func (l *Leases) Holders() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view.names(time.Now())
}

// Replicas returns the number of replicas that are alive, as this replica sees it.
func (l *Leases) Replicas() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.view.alive(time.Now()))
}

// Run takes part until ctx ends. It calls lead, in a goroutine of its own, for each shard that the replica comes to lead. The
// context of lead ends when the lease is lost, is to be given away, or ctx ends; lead should then return soon, and only after that
// is the shard given back. A lead that returns by itself gives the shard back as well; this replica then leaves it to others for a moment.
//
// Run returns when everything is given back, or over: nil when ctx has ended, an error when the connection is closed for good.
// It is called once.
func (l *Leases) Run(ctx context.Context, lead func(ctx context.Context, lease Lease)) error {
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan struct{})
	watched := make(chan error, 1)
	var all sync.WaitGroup
	all.Go(func() {
		watched <- l.kv.Watch(ctx, ">", func() { close(ready) }, l.changed)
		cancel()
	})
	select {
	case <-ready:
		all.Go(func() { l.sit(ctx) })
		l.divide(ctx, &all, lead)
	case <-ctx.Done():
	}
	cancel()
	all.Wait()
	return <-watched
}

// changed takes in what the bucket tells. It is seen when it is told, which is never before it was written.
func (l *Leases) changed(e bus.KVEntry) {
	l.mu.Lock()
	shard, ok := l.view.observe(e, time.Now())
	overtaken := l.held[shard]
	if ok && overtaken != nil && e.Revision > overtaken.revision.Load() && l.view.shards[shard].holder != l.name {
		overtaken.over()
	}
	l.mu.Unlock()
	l.notify()
}

// notify makes [Leases.divide] look again.
func (l *Leases) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// divide takes and gives away shards until ctx ends.
func (l *Leases) divide(ctx context.Context, all *sync.WaitGroup, lead func(context.Context, Lease)) {
	for {
		now := time.Now()
		for _, w := range l.wanted(now) {
			if ctx.Err() != nil {
				return
			}
			if err := l.take(ctx, all, w, lead); err != nil && !errors.Is(err, bus.ErrConflict) {
				break // the others would fail in the same way
			}
		}
		timer := time.NewTimer(time.Until(l.next(now)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-l.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// want is a shard that may be taken, and the revision of its key to be overwritten; 0 when it has no value.
type want struct {
	shard    int
	revision uint64
}

// wanted returns the free shards that the replica should lead. When it leads too many, it ends the work of one.
func (l *Leases) wanted(now time.Time) []want {
	l.mu.Lock()
	defer l.mu.Unlock()
	place, ok := l.view.place(l.name, now)
	if !ok {
		return nil
	}
	leading, leaving, last := 0, 0, -1
	for shard, h := range l.held {
		switch {
		case !h.valid(now): // no longer ours; others may lead it
		case h.leaving.Load():
			leaving++
		default:
			leading++
			last = max(last, shard)
		}
	}
	if leading > place.quota && leaving == 0 {
		l.held[last].giveAway()
		return nil
	}
	var wants []want
	for i := range l.cfg.Shards {
		if leading+leaving+len(wants) >= place.quota {
			break
		}
		shard := (place.rank*l.cfg.Shards/place.of + i) % l.cfg.Shards // not all begin at the same one
		revision, free := l.view.free(shard, l.name, now)
		if free && l.held[shard] == nil && !now.Before(l.rest[shard]) {
			wants = append(wants, want{shard: shard, revision: revision})
		}
	}
	return wants
}

// next returns when time alone may have something done: a lease of another is over, or a shard was left alone for long enough.
func (l *Leases) next(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.view.next(now)
	maps.DeleteFunc(l.rest, func(_ int, until time.Time) bool { return !until.After(now) })
	for _, until := range l.rest {
		if until.Before(next) {
			next = until
		}
	}
	return next
}

// take tries to become the leader of a shard, and has the work begun.
func (l *Leases) take(ctx context.Context, all *sync.WaitGroup, w want, lead func(context.Context, Lease)) error {
	c := newClaim(l.kv, shardKey(w.shard), l.name, l.cfg.TTL)
	if err := c.take(ctx, w.revision); err != nil {
		// Somebody was faster, or the bucket cannot be reached: what holds now is told by the watch. Should it have been written in spite of
		// the error, it is found in our name.
		l.log.DebugContext(ctx, "a shard could not be taken", "shard", w.shard, "err", err)
		l.leaveAlone(w.shard, min(l.cfg.TTL/10, raceRest))
		return err
	}
	h := newHeld(ctx, w.shard, c)
	l.mu.Lock()
	l.held[w.shard] = h
	l.mu.Unlock()
	l.log.InfoContext(ctx, "leading a shard", "shard", w.shard, "fence", h.fence, "replica", l.name)
	all.Go(func() {
		own := h.keep(ctx, l.log, lead)
		l.mu.Lock()
		delete(l.held, w.shard)
		l.mu.Unlock()
		if own {
			l.leaveAlone(w.shard, l.cfg.TTL/3)
		}
		l.notify()
	})
	return nil
}

// leaveAlone keeps the replica from a shard for a while.
func (l *Leases) leaveAlone(shard int, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest[shard] = time.Now().Add(d)
}

// Lease is the right to lead a shard, for as long as it is valid.
type Lease struct {
	// Shard is counted from 0.
	Shard int
	// Fence grows with every change of the shard's leader.
	Fence uint64
	held  *held
}

// Valid reports whether the lease is still good: no other replica leads the shard now, or has since Fence. It is asked right
// before something is done that only the leader may do. It asks no one, and goes by this machine's clocks: one that only goes
// forward, and the one on the wall, which goes on while a machine sleeps.
func (l *Lease) Valid() bool { return l.held != nil && l.held.valid(time.Now()) }

// Until is when the lease is over unless it is renewed; the zero time when it is known to be over.
func (l *Lease) Until() time.Time {
	if l.held == nil || l.held.ended.Load() {
		return time.Time{}
	}
	return *l.held.until.Load()
}

// before reports whether it is earlier than until by both clocks.
func before(now, until time.Time) bool {
	return now.Before(until) && now.Round(0).Before(until.Round(0))
}
