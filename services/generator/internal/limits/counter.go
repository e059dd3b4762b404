package limits

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// share is which part of a limit is reserved at once at most: what a replica that is killed takes with it.
	share = 200
	// recheck is for how long a limit is known to be used up.
	recheck = time.Second
	// patience is how long nobody asks after the counts could not be reached.
	patience = time.Second
	// answerIn is how long an answer may take, as when a stream changes its leader, before the same increment is sent again; tries
	// is how often it is.
	answerIn = time.Second
	tries    = 10
)

// counter is one limit for one scope, as this replica knows it. One increment is on its way at a time.
type counter struct {
	limiter *Limiter
	limit   *limit
	scope   Scope

	mu      sync.Mutex
	window  int64     // the current one's begin, in Unix seconds
	subject string    // of it
	used    int64     // as last seen
	seen    time.Time // when that was; zero: not in this window
	queue   []*ask
	busy    bool // somebody serves the queue
}

// ask is what one request wants of one counter. Who changes it holds the lock of the counter.
type ask struct {
	counter *counter
	amount  int64
	pending *pending

	state  state
	window int64 // in which it is counted
	err    error // why it failed
}

// state is what became of an ask.
type state int

const (
	waiting state = iota
	granted
	refused
	failed // the counts could not be reached
	gone   // nobody waits any more
)

// decide ends the wait for an ask, unless nobody waits. The lock is held.
func (a *ask) decide(s state, window int64, err error) bool {
	if a.state != waiting {
		return false
	}
	a.state, a.err = s, err
	if s == granted {
		a.window = window
	}
	a.pending.decided()
	return true
}

// turn begins the window of now if it is another one. The lock is held.
func (c *counter) turn(now time.Time) {
	if window := windowOf(now, c.limit.kind.window()); window != c.window || c.subject == "" {
		c.window, c.used, c.seen = window, 0, time.Time{}
		c.subject = c.limit.subject(c.limiter.subjects, c.scope, window)
	}
}

// full reports whether it is known that there is no room. The lock is held.
func (c *counter) full(amount int64) bool {
	return !c.seen.IsZero() && c.used+amount > c.limit.max && time.Since(c.seen) < recheck
}

// refuses reports whether it is known, without asking, that there is no room.
func (c *counter) refuses(now time.Time, amount int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	return amount > c.limit.max || c.full(amount)
}

// left returns how much is left, as far as is known.
func (c *counter) left(now time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	return min(max(c.limit.max-c.used, 0), c.limit.max)
}

// join puts an ask into the queue.
func (c *counter) join(a *ask) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, a)
	if !c.busy {
		c.busy = true
		c.limiter.serving.Go(c.serve)
	}
}

// leave takes back an ask that nobody waits for any more, if it is not decided.
func (c *counter) leave(a *ask) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.state == waiting {
		a.state = gone
	}
}

// saw takes in a value of the counter. The lock is held.
func (c *counter) saw(window, value int64) {
	if window == c.window {
		c.used, c.seen = value, time.Now()
	}
}

// serve serves the queue until it is empty.
func (c *counter) serve() {
	var excess int64 // that was reserved too much, and is given back with the next increment
	var of int64     // the window in which
	for {
		batch, sum, window, subject, more := c.next(excess, of)
		if !more {
			return
		}
		id := c.limiter.id()
		if window != of {
			excess = 0 // nobody asks for that window any more
		}
		value, sent, err := c.increment(subject, id, sum-excess)
		if err != nil {
			c.fail(batch, err)
			switch {
			case sent: // it may be counted: the same one is sent until that is known, and only then what nobody has is given back
				c.limiter.settler.redo(correction{account: account{c, window}, by: sum - excess, id: id, back: sum})
			case excess > 0:
				c.limiter.settler.add(c, window, -excess)
			}
			excess = 0
			continue
		}
		excess, of = c.answer(batch, sum, window, value), window
	}
}

// next takes the asks that go together from the queue. Without any, what was reserved too much is still to be given back; when
// there is nothing to do at all, more is false. Asks for which there is no room go with an increment of nothing, to see whether
// there is.
func (c *counter) next(excess, of int64) (batch []*ask, sum, window int64, subject string, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(c.limiter.now())
	most := c.limit.max / share
	rest := c.queue[:0]
	look := false
	for i, a := range c.queue {
		if len(batch) > 0 && sum+a.amount > most {
			rest = append(rest, c.queue[i:]...)
			break
		}
		switch fits := c.seen.IsZero() || c.used+sum+a.amount <= c.limit.max; {
		case a.state != waiting:
		case fits:
			batch = append(batch, a)
			sum += a.amount
		case c.full(a.amount):
			a.decide(refused, 0, nil)
		default: // there was no room a while ago, or there will be none behind the others
			look = true
			rest = append(rest, a)
		}
	}
	clear(c.queue[len(rest):])
	c.queue = rest
	owes := excess > 0 && of == c.window
	if len(batch) == 0 && !look && !owes {
		c.busy = false
		return nil, 0, 0, "", false
	}
	return batch, sum, c.window, c.subject, true
}

// increment adds to the counter. Who waits for it may have gone before it ends. Where it is not known whether an increment was counted,
// the same one is sent again, which tells: it counts once. With an error, sent says that it may be counted all the same.
func (c *counter) increment(subject, id string, by int64) (value int64, sent bool, err error) {
	if err := c.limiter.counter.Connected(); err != nil { // it would be sent when it is of no use any more
		return 0, false, err
	}
	for range tries {
		ctx, cancel := context.WithTimeout(context.Background(), answerIn)
		value, err = c.limiter.counter.Increment(ctx, subject, id, by)
		sent = sent || errors.Is(err, context.DeadlineExceeded)
		if err == nil || !sent {
			cancel()
			return value, false, err
		}
		select {
		case <-ctx.Done():
		case <-c.limiter.counter.Closed():
			cancel()
			return 0, true, err
		}
		cancel()
	}
	return 0, true, err
}

// answer lets in those for whom there is room, and returns how much was reserved for the others.
func (c *counter) answer(batch []*ask, sum, window, value int64) (excess int64) {
	c.limiter.reached()
	c.mu.Lock()
	defer c.mu.Unlock()
	used := value - sum
	for _, a := range batch {
		verdict := refused
		if used+a.amount <= c.limit.max {
			verdict = granted
		}
		if !a.decide(verdict, window, nil) || verdict == refused {
			excess += a.amount
			continue
		}
		used += a.amount
	}
	c.saw(window, value-excess)
	return excess
}

// fail tells everybody that the counts cannot be reached.
func (c *counter) fail(batch []*ask, err error) {
	c.limiter.unreached(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range append(batch, c.queue...) {
		a.decide(failed, 0, err)
	}
	clear(c.queue)
	c.queue = c.queue[:0]
}
