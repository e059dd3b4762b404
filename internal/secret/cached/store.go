package cached

import (
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// store is one store and what is known of its health. It is guarded by the mutex of the cache.
type store struct {
	secret.Store

	name     string
	memory   time.Duration // for how long behind its pause a failure still counts
	interval time.Duration // between calls with NoCache for a reference
	limit    int           // failures in a row that open the breaker
	pause    retry.Backoff // how long it stays open
	bypass   *rate.Limiter // of calls with NoCache
	metrics  storeMetrics

	fails   int
	until   time.Time // not asked before, once the breaker is open
	probing bool      // the one call that an open breaker lets through is on its way
	last    error
	epoch   int // how often the store has come back
}

func newStore(name string, s secret.Store, cfg Config, m *metrics) *store {
	return &store{
		Store: s, name: name, memory: cfg.Negative + cfg.Timeout, interval: cfg.Interval, limit: cfg.Failures,
		pause:   retry.Backoff{Base: time.Second, Cap: 30 * time.Second, Jitter: time.Second},
		bypass:  rate.NewLimiter(rate.Limit(cfg.NoCacheRate), cfg.NoCacheRate),
		metrics: m.of(name),
	}
}

// open says whether the breaker is open: the store has failed so often that it is left alone.
func (s *store) open() bool { return s.fails >= s.limit }

// away says that there is no use in asking now.
func (s *store) away(now time.Time) bool { return s.open() && (s.probing || now.Before(s.until)) }

// allow reports whether the store may be asked now. When it returns true, report must follow.
func (s *store) allow(now time.Time) bool {
	if s.away(now) {
		return false
	}
	s.probing = s.open()
	return true
}

// report takes note of an answer, or that there was none, and reports whether the breaker opened or closed.
func (s *store) report(now time.Time, err error) (changed bool) {
	was, probed := s.open(), s.probing
	s.probing = false
	if kindOf(err) != transient {
		s.fails, s.last = 0, nil
		if was {
			s.epoch++
		}
		return was
	}
	if was && !probed {
		return false // a call that began before the breaker opened; it is no news
	}
	s.fails, s.last = s.fails+1, err
	if s.open() {
		s.until = now.Add(s.pause.Delay(s.fails-s.limit, rand.Float64))
	}
	return s.open() != was
}

// failure is the error of who may not ask.
func (s *store) failure() error {
	return fmt.Errorf("%w: %s has failed %d times in a row and is left alone for a while; the last failure: %w",
		secret.ErrUnavailable, s.name, s.fails, s.last)
}
