package secretd

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of what goes past the cache, for one caller: as many at once, and so many a second.
const (
	pastCacheBurst = 20
	pastCacheRate  = 5
	maxCallers     = 4096 // that are remembered

	// pastCacheEvery is how often at most a store is asked past the cache for one secret.
	pastCacheEvery = 250 * time.Millisecond
)

// limits keep each caller from asking stores too often.
type limits struct {
	mu      sync.Mutex
	callers map[string]*rate.Limiter
}

func newLimits() *limits { return &limits{callers: make(map[string]*rate.Limiter)} }

// take takes a place for a caller, who has a right to the secret, or says when there is one.
func (l *limits) take(caller string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := l.callers[caller]
	if limit == nil {
		if len(l.callers) >= maxCallers { // only where everyone is allowed: forgetting is better than growing
			clear(l.callers)
		}
		limit = rate.NewLimiter(pastCacheRate, pastCacheBurst)
		l.callers[caller] = limit
	}
	now := time.Now()
	place := limit.ReserveN(now, 1)
	wait := place.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	place.CancelAt(now)
	return &events.Error{
		Code: events.CodeRateLimited, Retryable: true, RetryAfter: wait,
		Message: "secrets are asked for past the cache too often by this caller",
	}
}

// failing writes to the log what goes wrong, and not more of it than a person can read.
type failing struct {
	to    *slog.Logger
	often *rate.Limiter
}

func newFailing(to *slog.Logger) *failing {
	return &failing{to: to, often: rate.NewLimiter(1, 20)}
}

// log says that a request had no value, and why. A name that nobody has configured is not told: it may be a secret by mistake.
func (f *failing) log(ctx context.Context, a access, err error) {
	code := events.CodeOf(err)
	stored, ofStore := errors.AsType[*secret.StoreError](err)
	if code != events.CodePermissionDenied && !ofStore || !f.often.Allow() {
		return
	}
	attrs := []any{"caller", a.record.Caller, "operation", a.record.Operation, "outcome", string(code)}
	if a.target.configured {
		attrs = append(attrs, "secret", a.target.text)
	}
	if ofStore {
		attrs = append(attrs, "provider", stored.Source, "err", stored)
	}
	f.to.WarnContext(ctx, "a secret was not given", attrs...)
}
