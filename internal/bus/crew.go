package bus

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// held is a message that was received and is not settled.
type held struct {
	raw   *nats.Msg
	size  int64
	sign  time.Time // when the server last heard of it
	index int       // in crew.messages
}

// crew is the workers of one pull loop, and the messages they have or are about to have. A worker that was needed once stays
// until the end: a goroutine for every message would grow its stack every time anew.
type crew struct {
	worker *worker
	freed  chan<- struct{} // told when as few messages are held as somebody waits for
	queue  chan *held
	hands  sync.WaitGroup
	count  atomic.Int64 // messages held
	bytes  atomic.Int64 // their sizes
	few    atomic.Int64 // how many messages may be held when freed is told; negative is never
	hired  int          // workers there are; only the pull loop touches it

	mu       sync.Mutex
	messages []*held
}

// newCrew makes a crew without workers yet, for as many messages as there are places, and for what lost requests still send.
func newCrew(w *worker, places int, freed chan<- struct{}) *crew {
	return &crew{worker: w, freed: freed, queue: make(chan *held, 4*places+64)}
}

// take gives a message to a worker as soon as one is free, or back if the stop comes first.
func (c *crew) take(intake, work context.Context, raw *nats.Msg, now time.Time) {
	h := &held{raw: raw, size: int64(len(raw.Data)), sign: now}
	c.mu.Lock()
	h.index = len(c.messages)
	c.messages = append(c.messages, h)
	c.mu.Unlock()
	c.bytes.Add(h.size)
	if n := int(c.count.Add(1)); n > c.hired && c.hired < c.worker.cfg.Workers {
		c.hired++
		c.hands.Go(func() { c.work(intake, work) })
	}
	select {
	case c.queue <- h:
	default: // far more than was asked for
		c.giveBack(work, h)
	}
}

// work handles messages until the queue is closed.
func (c *crew) work(intake, work context.Context) {
	for h := range c.queue {
		if intake.Err() != nil {
			c.giveBack(work, h)
			continue
		}
		c.worker.handle(work, h.raw)
		c.drop(h)
	}
}

// giveBack returns a message that nobody began.
func (c *crew) giveBack(work context.Context, h *held) {
	c.worker.giveBack(work, h.raw)
	c.drop(h)
}

// drop forgets a message.
func (c *crew) drop(h *held) {
	c.mu.Lock()
	last := c.messages[len(c.messages)-1]
	c.messages[h.index], last.index = last, h.index
	c.messages[len(c.messages)-1] = nil
	c.messages = c.messages[:len(c.messages)-1]
	c.mu.Unlock()
	c.bytes.Add(-h.size)
	if c.count.Add(-1) <= c.few.Load() {
		notify(c.freed)
	}
}

// tellAt asks to be told when no more than few messages are held; negative is never. It is told at once when that is so already.
func (c *crew) tellAt(few int) {
	c.few.Store(int64(few))
	if c.count.Load() <= int64(few) {
		notify(c.freed)
	}
}

// dismiss gives back what nobody has begun, and lets the workers go when they are done. Nothing may be taken any more.
func (c *crew) dismiss(work context.Context) {
	for {
		select {
		case h := <-c.queue:
			c.giveBack(work, h)
			continue
		default:
		}
		close(c.queue)
		return
	}
}

// keepAlive tells the server of every message, at least once in every, that somebody has it, until stop is closed. That goes
// for waiting messages too: one that waits here for longer than its ack timeout would be handled twice.
func (c *crew) keepAlive(every time.Duration, stop <-chan struct{}) {
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			for _, reply := range c.due(now, every/2) {
				// A failure means that the connection is down. The server may then hand the message out again, which is allowed; but
				// the connection may as well be back before that.
				if err := c.worker.bus.nc.Publish(reply, []byte("+WPI")); err != nil {
					c.worker.bus.log.Debug("the server was not told that a message is being handled", "err", err)
				}
			}
		}
	}
}

// due returns the reply subjects of the messages that the server has not heard of for so long; it is about to.
func (c *crew) due(now time.Time, age time.Duration) (replies []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.messages {
		if now.Sub(h.sign) >= age {
			h.sign = now
			replies = append(replies, h.raw.Reply)
		}
	}
	return replies
}
