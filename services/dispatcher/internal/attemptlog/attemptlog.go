// Package attemptlog records delivery attempts on the bus, many to a message, without ever making a delivery wait.
package attemptlog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	flushInterval  = 100 * time.Millisecond // the longest that a record waits for others
	publishTimeout = 5 * time.Second
	inFlight       = 8                // messages that wait for their acks at a time: a slow bus must not mean one at a time
	complainEvery  = 10 * time.Second // the lines about lost records; a bus that is down would else fill the log
)

// Publisher stores a message; [bus.Bus] is one.
type Publisher interface {
	// Publish stores one message.
	Publish(ctx context.Context, m bus.Msg) (bus.Ack, error)
	// MaxPayload is the largest message that it takes, in bytes; 0 when that is not known.
	MaxPayload() int64
}

// Log takes records of attempts and publishes them in batches: the attempts stream holds, on the subject of an endpoint,
// JSON arrays of [events.DeliveryAttempt]. It is best effort: a record that cannot be stored is lost, and counted, and
// the delivery it tells of goes on. Batches of one endpoint that are on their way together may be stored in any order.
type Log struct {
	publisher Publisher
	subjects  events.Subjects
	log       *slog.Logger
	dropped   func(records int)
	scratch   sync.Pool
	wake      chan struct{} // there is a batch to publish, or room to publish one
	pending   pending

	mu         sync.Mutex // guards what is below
	lost       int        // records since the last line about them
	complained time.Time
}

// New returns a Log; Run makes it work. The function dropped is told how many records were lost, each time that some are;
// it may be called by several goroutines at once.
func New(publisher Publisher, subjects events.Subjects, log *slog.Logger, dropped func(records int)) *Log {
	return &Log{
		publisher: publisher, subjects: subjects, log: log, dropped: dropped,
		scratch: sync.Pool{New: func() any { return new([]byte) }},
		wake:    make(chan struct{}, 1),
		pending: pending{open: make(map[string]*batch)},
	}
}

// Add takes one record, and the headers that were sent, each once, as its Request. It never blocks. The record is written as JSON here, by whoever made the attempt, so that all that
// is done under a lock is to copy a few hundred bytes. What is added after Run has begun to end is lost, and counted.
func (l *Log) Add(record events.DeliveryAttempt, sent []egress.Field) {
	buf, ok := l.scratch.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	text := appendBounded((*buf)[:0], &record, sent)
	kept, full := l.pending.add(record.EndpointID, text, l.publisher.MaxPayload)
	if *buf = text; cap(text) <= maxRecord {
		l.scratch.Put(buf)
	}
	if full {
		l.wakeUp()
	}
	if !kept {
		l.dropped(1)
	}
}

// Run publishes what was added, until stop is closed and all of it is published, or ctx has ended. After the stop it takes
// no longer than one publish may: what is left then is lost, because a shutdown does not wait for records.
func (l *Log) Run(ctx context.Context, stop <-chan struct{}) {
	slots := make(chan struct{}, inFlight)
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-l.wake:
		case <-ticker.C:
			l.pending.flush()
		case <-stop:
			running = false
		case <-ctx.Done():
			running = false
		}
		l.publishReady(ctx, slots)
	}
	l.finish(ctx, slots)
}

// publishReady sends off the batches that are ready, as long as there are slots; one that becomes free wakes Run.
func (l *Log) publishReady(ctx context.Context, slots chan struct{}) {
	for {
		select {
		case slots <- struct{}{}:
		default:
			return
		}
		b := l.pending.next()
		if b == nil {
			<-slots
			return
		}
		go func() {
			l.publish(ctx, b)
			<-slots
			l.wakeUp()
		}()
	}
}

// finish publishes all that is left, in the time that it has, and waits for what is on its way.
func (l *Log) finish(ctx context.Context, slots chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	l.pending.close()
	for b := l.pending.next(); b != nil; b = l.pending.next() {
		select {
		case slots <- struct{}{}:
			go func() {
				l.publish(ctx, b)
				<-slots
			}()
		case <-ctx.Done():
			l.pending.done(b)
			l.lose(ctx, b, ctx.Err())
		}
	}
	for range inFlight {
		slots <- struct{}{}
	}
}

// publish stores one batch, or gives it up.
func (l *Log) publish(ctx context.Context, b *batch) {
	defer l.pending.done(b)
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := l.publisher.Publish(ctx, bus.Msg{
		Subject: l.subjects.Attempts(b.endpoint),
		Header:  map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}},
		Body:    b.body,
		Unseen:  true, // it tells of attempts of many traces, which have their own spans
	})
	if err != nil {
		l.lose(ctx, b, err)
	}
}

// lose counts a batch that is not stored, and says so now and then.
func (l *Log) lose(ctx context.Context, b *batch, err error) {
	l.dropped(b.records)
	l.mu.Lock()
	l.lost += b.records
	lost, now := l.lost, time.Now()
	say := now.Sub(l.complained) >= complainEvery
	if say {
		l.lost, l.complained = 0, now
	}
	l.mu.Unlock()
	if say {
		l.log.WarnContext(ctx, "records of delivery attempts are lost", "endpoint", b.endpoint, "records", lost, "err", err)
	}
}

// wakeUp tells Run that there is something to do.
func (l *Log) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // it has been told
	}
}
