package limits

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// settleAfter is how long corrections are gathered, so that those of many requests are one increment.
	settleAfter = 50 * time.Millisecond
	// settleAgain is how long after a failure they are tried again.
	settleAgain = time.Second
	// settlers is how many are on their way at once.
	settlers = 16
	// maxUnsettled bounds how many counts wait to be corrected.
	maxUnsettled = 100_000
	// sameFor is how long an increment of the same id surely counts once; streams of counters remember ids for 30 seconds.
	sameFor = 20 * time.Second
)

// settler corrects counts behind the answers of requests.
type settler struct {
	limiter *Limiter

	mu      sync.Mutex
	pending map[account]int64
	again   []correction  // that failed
	flush   chan struct{} // held by who flushes
	timer   bool          // there will be a flush
	lost    int           // for which there was no room
}

// account is one window of a counter.
type account struct {
	counter *counter
	window  int64
}

// correction is one increment that corrects a count.
type correction struct {
	account

	by int64
	id string
	// back is how much of it is given back as soon as it is known to be counted.
	back int64
	// maybe is since when it may be counted, without an answer that says so; zero: it is not.
	maybe time.Time
}

// uncertain reports whether an increment may count a second time if it is sent again, and make the count too low.
func (c *correction) uncertain() bool {
	return (c.by < 0 || c.back > 0) && !c.maybe.IsZero() && time.Since(c.maybe) > sameFor
}

// open makes a settler.
func (s *settler) open(l *Limiter) {
	s.limiter, s.pending, s.flush = l, make(map[account]int64), make(chan struct{}, 1)
}

// over reports whether a window has ended: nobody asks for its count any more.
func (a account) over(now time.Time) bool {
	return windowOf(now, a.counter.limit.kind.window()) > a.window
}

// add notes that a count is to be changed.
func (s *settler) add(c *counter, window, by int64) {
	at := account{c, window}
	if at.over(s.limiter.now()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.pending[at]; !known && len(s.pending) >= maxUnsettled {
		s.lost++
		return
	}
	s.pending[at] += by
	s.plan(settleAfter)
}

// redo sends an increment again that may be counted already.
func (s *settler) redo(c correction) {
	c.maybe = time.Now().Add(-tries * answerIn)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again = append(s.again, c)
	s.plan(settleAgain)
}

// plan sees to it that there will be a flush. The lock is held.
func (s *settler) plan(after time.Duration) {
	if !s.timer {
		s.timer = true
		time.AfterFunc(after, s.run)
	}
}

// run writes what waits, and plans what could not be written.
func (s *settler) run() {
	s.mu.Lock()
	s.timer = false
	s.mu.Unlock()
	_ = s.write(context.Background()) // it is tried again, and said where the counts are asked
}

// write writes what waits. What fails waits again.
func (s *settler) write(ctx context.Context) error {
	select {
	case s.flush <- struct{}{}:
		defer func() { <-s.flush }()
	case <-ctx.Done():
		return ctx.Err()
	}
	work := s.take()
	var working sync.WaitGroup
	room := make(chan struct{}, settlers)
	errs := make([]error, len(work))
	for i := range work {
		room <- struct{}{}
		working.Go(func() {
			defer func() { <-room }()
			errs[i] = s.correct(ctx, &work[i])
		})
	}
	working.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, err := range errs {
		switch c := work[i]; {
		case err == nil || c.over(s.limiter.now()):
		case c.uncertain():
			s.lost++
		default:
			s.again = append(s.again, c)
		}
	}
	switch {
	case len(s.again) > 0:
		s.plan(settleAgain)
	case len(s.pending) > 0: // more than was taken at once, or what has come since
		s.plan(settleAfter)
	}
	return errors.Join(errs...)
}

// take takes what waits.
func (s *settler) take() []correction {
	now := s.limiter.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	work := s.again
	s.again = nil
	if s.lost > 0 {
		s.limiter.log.Warn("what requests have used is not all counted: too much waits for that, or nobody has said for too long whether it is", "counts", s.lost)
		s.lost = 0
	}
	for at, by := range s.pending {
		switch {
		case by == 0 || at.over(now):
		case len(work) >= maxUnsettled: // what does not fit waits for the next time
			continue
		default:
			work = append(work, correction{account: at, by: by, id: s.limiter.id()})
		}
		delete(s.pending, at)
	}
	return work
}

// empty reports whether nothing waits.
func (s *settler) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) == 0 && len(s.again) == 0
}

// correct makes one correction, and takes in what the counter says.
func (s *settler) correct(ctx context.Context, c *correction) error {
	l := s.limiter
	if err := l.counter.Connected(); err != nil {
		return err
	}
	begun := time.Now()
	value, err := l.counter.Increment(ctx, c.counter.limit.subject(l.subjects, c.counter.scope, c.window), c.id, c.by)
	if err != nil {
		if c.maybe.IsZero() && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
			c.maybe = begun
		}
		return err
	}
	if c.back > 0 {
		s.add(c.counter, c.window, -c.back)
	}
	c.counter.mu.Lock()
	defer c.counter.mu.Unlock()
	c.counter.saw(c.window, value)
	return nil
}

// Close waits until what was settled is counted, until ctx ends, or the counts are closed. Nothing may be reserved after it.
func (l *Limiter) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	idle := make(chan struct{})
	go func() {
		l.serving.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	case <-l.counter.Closed():
	}
	var why error
	for {
		err := l.settler.write(ctx)
		if err == nil && l.settler.empty() {
			return nil
		}
		if err == nil { // there was more than is taken at once
			continue
		}
		if why == nil || !errors.Is(err, ctx.Err()) {
			why = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("what requests have used is not all counted: %w", why)
		case <-l.counter.Closed():
			return fmt.Errorf("what requests have used is not all counted: %w", why)
		case <-time.After(settleAfter):
		}
	}
}

// isDown returns an error while nobody asks, because the counts could not be reached a moment ago.
func (l *Limiter) isDown() error {
	if until := l.down.Load(); until != 0 && time.Now().UnixNano() < until {
		return events.Errorf(events.CodeUnavailable, "the counts could not be reached a moment ago")
	}
	return nil
}

// unreached notes that the counts cannot be reached.
func (l *Limiter) unreached(err error) {
	if l.down.Swap(time.Now().Add(patience).UnixNano()) == 0 {
		then := "refused"
		if l.cfg.Allow {
			then = "let through"
		}
		l.log.Warn("the counts of limits cannot be reached", "requests_are", then, "err", err)
	}
}

// reached notes that the counts can be reached.
func (l *Limiter) reached() {
	if l.down.Load() != 0 && l.down.Swap(0) != 0 {
		l.log.Info("the counts of limits are reached again")
	}
}
