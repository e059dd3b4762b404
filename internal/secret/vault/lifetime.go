package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// errClosed is for who asks a store that was closed.
var errClosed = fmt.Errorf("%w: the store was closed", secret.ErrUnavailable)

// lifetime is how long a store's own goroutines live: those that keep something until it is no more needed, and those that
// finish what they do, since what they ask Vault for exists from then on, whether who wanted it has gone or not.
type lifetime struct {
	keep, work             context.Context //nolint:containedctx // this is what they are for
	stopKeeping, stopWorks context.CancelFunc

	mu     sync.Mutex
	closed bool
	all    sync.WaitGroup
}

func newLifetime() *lifetime {
	l := &lifetime{}
	l.keep, l.stopKeeping = context.WithCancel(context.Background())
	l.work, l.stopWorks = context.WithCancel(context.Background())
	return l
}

// over reports whether it was closed.
func (l *lifetime) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// begin reports whether work may begin; who begins calls l.all.Done.
func (l *lifetime) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.all.Add(1)
	return true
}

// keeper runs keep in a goroutine until the store is closed.
func (l *lifetime) keeper(keep func(ctx context.Context)) {
	if !l.begin() {
		return
	}
	go func() {
		defer l.all.Done()
		keep(l.keep)
	}()
}

// close lets nothing begin any more, stops the keepers, and waits until all that works is done, or half of the time is over that ctx
// leaves: the rest is for giving back what was lent.
func (l *lifetime) close(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok {
		const half = 2
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/half)
		defer cancel()
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.stopKeeping()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.all.Wait()
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(errors.New("requests to vault were cut off"), ctx.Err())
	}
	l.stopWorks()
	<-done
	return err
}

// pause waits, and reports whether ctx still lasts.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// term is a time that Vault has granted something for.
type term struct {
	first time.Duration // what was granted at first; 0 is for ever
	ends  time.Time
}

// granted begins a term that was asked for at a time.
func granted(asked time.Time, seconds int64) term {
	if seconds <= 0 {
		return term{}
	}
	d := time.Duration(min(seconds, int64(maxTerm/time.Second))) * time.Second
	return term{first: d, ends: asked.Add(d)}
}

// maxTerm keeps what is added to a time within bounds: ten years.
const maxTerm = 10 * 365 * 24 * time.Hour

// over reports whether the term has ended.
func (t term) over() bool { return !t.ends.IsZero() && !time.Now().Before(t.ends) }

// left returns what is left of it; not for one that is for ever.
func (t term) left() time.Duration { return time.Until(t.ends) }

// shrinks reports whether a renewal brought so little that the most which Vault grants is nearly reached: it is time for a new
// one.
func (t term) shrinks() bool { return t.first > 0 && t.left() < t.first/2 }

// again is how long to wait before a renewal that failed is tried once more.
func (t term) again() time.Duration { return min(max(t.left()/6, time.Second), time.Minute) }
