// Package limits holds requests, tokens and cost under limits that all replicas of the generator share.
//
// What a request needs is reserved before it is made, and settled when it is known what it used. The counts are atomic counters
// of JetStream (ADR-49), one for each limit, scope and window: an increment reserves, and its answer says how much that makes; if
// it is too much, it is given back. So nobody waits for a lock, and no try is lost to somebody who was faster.
//
//   - Windows are fixed: the minutes and days of UTC, by the clocks of the replicas, which should agree. So up to twice a limit may
//     pass in a minute that lies across two windows.
//   - What counts is the window in which a request begins, also for what it uses after that window.
//   - Requests that come at the same time are reserved together, up to a two-hundredth of the limit, so that a replica that is
//     killed takes no more than that with it, beside what its requests in flight have reserved; that stays reserved until the
//     window ends.
//   - When a limit is known to be used up, requests are refused without asking, but for one a second: something may have been
//     given back.
package limits

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Counter is where counts are shared; [bus.Bus] is one.
type Counter interface {
	// Increment adds to the counter of a subject, once for each id, and returns its new value; by 0 reads it.
	Increment(ctx context.Context, subject, id string, by int64) (int64, error)
	// Connected returns nil while counters can be reached, as far as that is known.
	Connected() error
	// Closed is closed when they never can be any more.
	Closed() <-chan struct{}
	// Subjects are those of the installation.
	Subjects() events.Subjects
}

// Scope is who asks for what.
type Scope struct {
	// Caller is whose request it is.
	Caller string
	// Provider and Model are the target; Model is written provider/model.
	Provider, Model string
	// Alias is the name by which the caller asked for the model, if it is none of a target.
	Alias string
}

// Estimate is what a request will use at most, as far as that is known before it is made.
type Estimate struct {
	// Tokens are those of the prompt and of the answer.
	Tokens int
	// Cost is in the currency of the price table.
	Cost float64
}

// Options are what a limiter takes from its surroundings.
type Options struct {
	// Now is the clock by which windows begin and end; nil is that of the machine.
	Now func() time.Time
	// Logger is told when the counts cannot be reached; nil tells nobody.
	Logger *slog.Logger
}

// Limiter keeps the limits. It is safe for concurrent use. The nil limiter has no limits, and asks nobody.
type Limiter struct {
	limits   []*limit
	cfg      Config
	counter  Counter
	subjects events.Subjects
	now      func() time.Time
	log      *slog.Logger

	instance string // begins the ids of increments
	last     atomic.Uint64
	down     atomic.Int64 // until when nobody asks, because the counts cannot be reached; Unix nanoseconds, 0: they can

	serving sync.WaitGroup // of queues
	settler settler

	mu       sync.RWMutex
	scopes   map[Scope][]*counter
	counters map[counterKey]*counter
}

// counterKey identifies a counter.
type counterKey struct {
	limit *limit
	scope Scope
}

// maxScopes bounds what is remembered of who asked for what.
const maxScopes = 10_000

// New returns a limiter, or nil if there are no rules.
func New(cfg Config, c Counter, o Options) *Limiter {
	if len(cfg.Rules) == 0 {
		return nil
	}
	l := &Limiter{
		cfg: cfg, counter: c, subjects: c.Subjects(), now: o.Now, log: o.Logger, instance: rand.Text()[:12] + "-",
		scopes: make(map[Scope][]*counter), counters: make(map[counterKey]*counter),
	}
	if l.cfg.Wait <= 0 {
		l.cfg.Wait = DefaultWait
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.settler.open(l)
	for i := range cfg.Rules {
		l.limits = append(l.limits, cfg.Rules[i].limits()...)
	}
	return l
}

// Guess returns how many tokens a prompt of so many bytes has, about, and its answer at most. 0 says that the request does not
// bound the answer.
func (l *Limiter) Guess(promptBytes, maxCompletion int) (prompt, completion int) {
	const bytesPerToken = 4
	prompt = (max(promptBytes, 0) + bytesPerToken - 1) / bytesPerToken
	switch {
	case maxCompletion > 0:
		return prompt, maxCompletion
	case l == nil || l.cfg.DefaultTokens <= 0:
		return prompt, DefaultTokens
	}
	return prompt, l.cfg.DefaultTokens
}

// matching returns the counters of all limits that hold for a request.
func (l *Limiter) matching(s Scope) []*counter {
	l.mu.RLock()
	found, known := l.scopes[s]
	l.mu.RUnlock()
	if known {
		return found
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.scopes) >= maxScopes { // what is forgotten is asked for again
		clear(l.scopes)
		clear(l.counters)
	}
	for _, limit := range l.limits {
		if !limit.rule.matches(s) {
			continue
		}
		key := counterKey{limit, limit.rule.scope(s)}
		c := l.counters[key]
		if c == nil {
			c = &counter{limiter: l, limit: limit, scope: key.scope}
			l.counters[key] = c
		}
		found = append(found, c)
	}
	l.scopes[s] = found
	return found
}

// look is matching for who only asks: it remembers nothing, so that a list of a thousand models takes no place from what is used.
func (l *Limiter) look(s Scope) []*counter {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var found []*counter
	for _, limit := range l.limits {
		if !limit.rule.matches(s) {
			continue
		}
		key := counterKey{limit, limit.rule.scope(s)}
		c := l.counters[key]
		if c == nil {
			c = &counter{limiter: l, limit: limit, scope: key.scope}
		}
		found = append(found, c)
	}
	return found
}

// units is what an estimate, or a use, makes of a limit's count.
func (k kind) units(used int, spent float64) int64 {
	switch k {
	case requests:
		return 1
	case tokens:
		return int64(min(max(used, 0), maxCount))
	case cost:
	}
	return int64(math.Ceil(min(max(spent, 0), maxCost) * billion))
}

// id makes the id of an increment.
func (l *Limiter) id() string { return l.instance + strconv.FormatUint(l.last.Add(1), 36) }

// Left returns what the limits of a scope have left, as far as this replica has seen: it asks nobody.
func (l *Limiter) Left(s Scope) []events.ModelLimit {
	if l == nil {
		return nil
	}
	now := l.now()
	var all []events.ModelLimit
	for _, c := range l.look(s) {
		unit := c.limit.kind.unit()
		all = append(all, events.ModelLimit{
			What: c.limit.kind.what(), Limit: float64(c.limit.max) / unit, Left: float64(c.left(now)) / unit,
			ResetMS: untilNext(now, c.limit.kind.window()).Milliseconds(),
		})
	}
	return all
}

// windowOf returns when the window of a moment began, in Unix seconds.
func windowOf(now time.Time, length time.Duration) int64 {
	seconds := int64(length / time.Second)
	return now.Unix() / seconds * seconds
}

// untilNext returns how long the window of a moment lasts from then.
func untilNext(now time.Time, length time.Duration) time.Duration {
	return time.Unix(windowOf(now, length), 0).Add(length).Sub(now)
}
