package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Timings of the pull loop.
const (
	pullExpiry    = 5 * time.Second // how long one pull request waits at the server
	pullHeartbeat = time.Second     // how often the server shows that it still knows the request
	pullSilence   = 3 * time.Second // without a sign for so long, the request is taken for lost
	pullRetry     = time.Second     // pause after the server refused a request
)

// pull asks the server for as many messages as there are free places, no more. The client library's own Consume holds
// messages for which no worker is free, which then wait for nothing, time out and are handled twice.
func (b *Bus) pull(intake, work context.Context, w *worker) error {
	places := w.cfg.Workers + w.cfg.Prefetch
	p := &puller{
		bus: b, worker: w, places: places,
		api:   "$JS.API.CONSUMER.MSG.NEXT." + w.cfg.Stream + "." + w.cfg.Durable,
		inbox: b.nc.NewInbox(),
		// Room for every place, for a status of each request, and for what a lost request may still send.
		received: make(chan *nats.Msg, 4*places+64),
		finished: make(chan struct{}, places),
		again:    make(chan struct{}, 1),
		slots:    make(chan struct{}, w.cfg.Workers),
	}
	sub, err := b.nc.ChanSubscribe(p.inbox, p.received)
	if err != nil {
		return fmt.Errorf("subscribing for %s: %w", w.cfg.Durable, err)
	}
	remove := b.afterReconnect(func() {
		select {
		case p.again <- struct{}{}:
		default:
		}
	})
	defer remove()
	err = p.run(intake, work)
	p.drain(work, sub)
	return err
}

// puller keeps the account of one pull loop. Only its own goroutine touches the counters.
type puller struct {
	bus      *Bus
	worker   *worker
	places   int
	api      string
	inbox    string
	received chan *nats.Msg
	finished chan struct{}
	again    chan struct{}
	slots    chan struct{}
	handlers sync.WaitGroup

	asked    int       // messages that the server has been asked for and has not sent
	held     int       // messages received and not finished
	lastSign time.Time // when the server last showed that it knows of a request
	pause    time.Time // no asking before this time
	failing  string    // why the server last refused, so that it is logged once
}

// run asks, receives and hands out until ctx ends.
func (p *puller) run(intake, work context.Context) error {
	tick := time.NewTicker(pullHeartbeat)
	defer tick.Stop()
	for {
		p.ask(intake)
		select {
		case <-intake.Done():
			return nil
		case <-p.bus.closed:
			return events.Errorf(events.CodeUnavailable, "the connection to nats is closed")
		case msg := <-p.received:
			p.take(intake, work, msg)
		case <-p.finished:
			p.held--
		case <-p.again: // after a reconnect the server has forgotten all requests
			p.asked, p.pause = 0, time.Time{}
		case now := <-tick.C:
			if p.asked > 0 && now.Sub(p.lastSign) > pullSilence {
				p.bus.log.DebugContext(intake, "no sign of a pull request; asking again", "consumer", p.worker.cfg.Durable)
				p.asked = 0
			}
		}
	}
}

// ask sends a pull request for the free places, once there are enough of them to be worth one.
func (p *puller) ask(ctx context.Context) {
	free := p.places - p.held - p.asked
	worth := max(1, p.worker.cfg.Prefetch/2)
	if free < worth || time.Now().Before(p.pause) || ctx.Err() != nil {
		return
	}
	body, err := json.Marshal(map[string]any{
		"batch": free, "expires": pullExpiry.Nanoseconds(), "idle_heartbeat": pullHeartbeat.Nanoseconds(),
	})
	if err == nil {
		err = p.bus.nc.PublishRequest(p.api, p.inbox, body)
	}
	if err != nil { // not connected: the reconnect asks again
		p.refused(ctx, err.Error())
		return
	}
	p.asked += free
	p.lastSign = time.Now()
}

// take sorts what arrives on the inbox: a message for a worker, or the server's word about a request.
func (p *puller) take(ctx, work context.Context, msg *nats.Msg) {
	p.lastSign = time.Now()
	if isMessage(msg) {
		p.asked = max(p.asked-1, 0)
		p.failing = ""
		p.start(work, msg)
		return
	}
	switch status := msg.Header.Get("Status"); status {
	case "100": // a heartbeat
	case "408", "404": // a request has ended; it says how many messages it did not get
		left, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
		if err != nil {
			left = p.asked
		}
		p.asked = max(p.asked-left, 0)
	default: // 409 consumer deleted, leadership change, server shutdown, …; 503 nobody serves the consumer
		p.asked = 0
		p.refused(ctx, strings.TrimSpace(status+" "+msg.Header.Get("Description")))
	}
}

// isMessage tells a stored message from a status: only a message can be acked.
func isMessage(msg *nats.Msg) bool { return strings.HasPrefix(msg.Reply, "$JS.ACK.") }

// refused pauses the asking and says why, once.
func (p *puller) refused(ctx context.Context, why string) {
	p.pause = time.Now().Add(pullRetry)
	if p.failing != why {
		p.failing = why
		p.bus.log.WarnContext(ctx, "the server does not hand out messages; asking until it does",
			"stream", p.worker.cfg.Stream, "consumer", p.worker.cfg.Durable, "err", why)
	}
}

// start gives a message to a worker as soon as one is free.
func (p *puller) start(work context.Context, msg *nats.Msg) {
	p.held++
	p.handlers.Go(func() {
		defer func() { p.finished <- struct{}{} }()
		p.slots <- struct{}{}
		defer func() { <-p.slots }()
		p.worker.handle(work, msg)
	})
}

// drain finishes what was begun and gives back what the server still sent. It returns when nothing is held any more.
func (p *puller) drain(work context.Context, sub *nats.Subscription) {
	// Nobody reads finished any more; handlers must not wait for that.
	done := make(chan struct{})
	go func() {
		p.handlers.Wait()
		close(done)
	}()
	// Drain keeps the subscription here until the server has heard of its end; a plain unsubscribe would drop messages that
	// are on their way, and they would wait for their ack timeout.
	if err := sub.Drain(); err != nil {
		p.bus.log.DebugContext(work, "draining failed; the connection is closed", "err", err)
	}
	// A round trip: whatever the server sent before that is here afterwards.
	flushCtx, cancel := context.WithTimeout(context.WithoutCancel(work), apiTimeout)
	if err := p.bus.nc.FlushWithContext(flushCtx); err != nil {
		p.bus.log.DebugContext(work, "flushing failed; the connection is closed", "err", err)
	}
	cancel()
	for {
		select {
		case msg := <-p.received:
			p.giveBack(work, msg)
		case <-p.finished:
		case <-done:
			for {
				select {
				case msg := <-p.received:
					p.giveBack(work, msg)
				default:
					return
				}
			}
		}
	}
}

// giveBack returns a message that nobody began, so that another replica may have it at once.
func (p *puller) giveBack(ctx context.Context, msg *nats.Msg) {
	if !isMessage(msg) {
		return
	}
	if err := msg.Nak(); err != nil {
		p.bus.log.DebugContext(ctx, "a message could not be given back; the server hands it out again by itself", "err", err)
		return
	}
	p.bus.metrics.consumed.WithLabelValues(p.worker.cfg.Stream, p.worker.cfg.Durable, "returned").Inc()
}
