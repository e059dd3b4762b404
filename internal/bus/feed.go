package bus

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Timings of a feed.
const (
	feedHeartbeat = time.Second     // how often the server shows that it still knows the feed
	feedSilence   = 3               // heartbeats that may be missed
	feedForgotten = 5 * time.Second // after which the server forgets a feed that nobody reads
	feedRetry     = 250 * time.Millisecond
)

// What [feed.next] returns when there is no message.
var (
	errFeedBroken = errors.New("the feed is broken")          // open another one where it stopped
	errFeedIdle   = errors.New("the feed has nothing to say") // everything that was there has been read, or nearly so
)

// feed reads a stream in its order through a consumer of its own that keeps no books, and that the server forgets by itself
// when nobody reads it. It breaks when a message was missed, when the server falls silent, and with every reconnect; whoever
// reads it then opens another one. The server sends as fast as it is read, and has at most 32 MiB on their way.
type feed struct {
	bus     *Bus
	stream  string
	name    string // of the consumer
	pending uint64 // messages that were there when it was opened
	read    uint64 // messages that came
	sub     *nats.Subscription
	msgs    chan *nats.Msg
	again   chan struct{} // the connection was made again
	remove  func()
	closed  chan struct{}
	once    sync.Once

	tick   *time.Ticker
	heard  bool // something since the last tick
	silent int  // ticks without a word
}

// openFeed starts a feed; cfg says from where, and of which subjects.
func (b *Bus) openFeed(ctx context.Context, stream string, cfg jetstream.ConsumerConfig) (*feed, error) {
	f := &feed{
		bus: b, stream: stream, msgs: make(chan *nats.Msg, 64), again: make(chan struct{}, 1), closed: make(chan struct{}),
		tick: time.NewTicker(feedHeartbeat), heard: true,
	}
	f.remove = b.afterReconnect(func() { notify(f.again) })
	inbox := b.nc.NewInbox()
	var err error
	if f.sub, err = b.nc.Subscribe(inbox, f.receive); err == nil {
		err = f.sub.SetPendingLimits(-1, -1) // flow control bounds it
	}
	if err != nil {
		f.close(ctx)
		return nil, err
	}
	cfg.DeliverSubject, cfg.AckPolicy, cfg.MaxDeliver = inbox, jetstream.AckNonePolicy, 1
	cfg.FlowControl, cfg.IdleHeartbeat, cfg.InactiveThreshold = true, feedHeartbeat, feedForgotten
	cfg.MemoryStorage, cfg.Replicas = true, 1
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	consumer, err := b.js.CreatePushConsumer(ctx, stream, cfg)
	if err != nil {
		f.close(ctx)
		return nil, err
	}
	info := consumer.CachedInfo()
	f.name, f.pending = info.Name, info.NumPending+info.Delivered.Consumer
	return f, nil
}

// receive hands over what came. It waits for the reader; the server is told to wait by flow control.
func (f *feed) receive(msg *nats.Msg) {
	select {
	case f.msgs <- msg:
	case <-f.closed:
	}
}

// next waits for the next message. Its error is [errFeedBroken], [errFeedIdle] about once a second while nothing comes, ctx's,
// or that the connection is closed for good.
func (f *feed) next(ctx context.Context) (*nats.Msg, position, error) {
	for {
		select {
		case msg := <-f.msgs:
			f.heard, f.silent = true, 0
			if at, ok := parseAck(msg.Reply); ok {
				if at.consumer != f.read+1 {
					return nil, at, errFeedBroken
				}
				f.read++
				return msg, at, nil
			}
			if err := f.status(msg); err != nil {
				return nil, position{}, err
			}
		case <-f.tick.C:
			if err := f.listen(); err != nil {
				return nil, position{}, err
			}
		case <-f.again:
			return nil, position{}, errFeedBroken
		case <-f.bus.closed:
			return nil, position{}, f.bus.closedError()
		case <-ctx.Done():
			return nil, position{}, ctx.Err()
		}
	}
}

// status heeds what the server says beside messages: how far they should have come by now, and that it waits to hear that
// they have.
func (f *feed) status(msg *nats.Msg) error {
	if msg.Reply != "" { // flow control
		return f.goOn(msg.Reply)
	}
	if stalled := msg.Header.Get("Nats-Consumer-Stalled"); stalled != "" {
		return f.goOn(stalled)
	}
	if msg.Header.Get("Nats-Last-Consumer") != strconv.FormatUint(f.read, 10) {
		return errFeedBroken
	}
	return errFeedIdle
}

// goOn tells the server that everything before has been read.
func (f *feed) goOn(subject string) error {
	if err := f.bus.nc.Publish(subject, nil); err != nil {
		return errFeedBroken
	}
	return nil
}

// listen counts the heartbeats that did not come.
func (f *feed) listen() error {
	if f.heard {
		f.heard = false
		return nil
	}
	if f.silent++; f.silent >= feedSilence {
		return errFeedBroken
	}
	return nil
}

// exhausted asks the server whether everything has been read.
func (f *feed) exhausted(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	consumer, err := f.bus.js.PushConsumer(ctx, f.stream, f.name)
	if err != nil {
		return false // it will break, or the next heartbeat asks again
	}
	info := consumer.CachedInfo()
	return info.NumPending == 0 && info.Delivered.Consumer == f.read
}

// close ends the feed and lets the server forget it at once; if that fails it does so by itself.
func (f *feed) close(ctx context.Context) {
	f.once.Do(func() {
		f.remove()
		f.tick.Stop()
		close(f.closed)
		if f.sub != nil {
			if err := f.sub.Unsubscribe(); err != nil {
				f.bus.log.DebugContext(ctx, "a feed's subscription could not be ended; the connection is closed", "stream", f.stream, "err", err)
			}
		}
		if f.name == "" || !f.bus.nc.IsConnected() {
			return
		}
		// Nobody waits for the answer: who may read a stream need not have the right to delete consumers, and would wait in vain.
		if err := f.bus.nc.Publish(f.bus.api+"CONSUMER.DELETE."+f.stream+"."+f.name, nil); err != nil {
			f.bus.log.DebugContext(ctx, "a feed's consumer could not be deleted; the server forgets it by itself", "stream", f.stream, "err", err)
		}
	})
}

// closedError is what everybody gets who waits for a connection that is closed for good.
func (b *Bus) closedError() error {
	return events.Errorf(events.CodeUnavailable, "the connection to nats is closed")
}

// pauseFor waits; it returns early, with an error, when ctx ends or the connection is closed for good.
func (b *Bus) pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-b.closed:
		return b.closedError()
	case <-ctx.Done():
		return ctx.Err()
	}
}
