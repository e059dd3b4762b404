package bus

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Timings of the pull loop.
const (
	pullExpiry    = 5 * time.Second        // how long one pull request waits at the server
	pullHeartbeat = time.Second            // how often the server shows that it still knows the request
	pullSilence   = 3 * time.Second        // without a sign for so long, the request is taken for lost
	pullRetry     = 500 * time.Millisecond // pause after the server refused a request
	pullGather    = time.Millisecond       // how long a free place waits for others, to be asked for together
)

// pullWorth is how many messages a request should bring, while there are as many: it costs the server and us about as much
// as two messages.
const pullWorth = 16

// pullRequests bounds the requests that one loop has at the server, which keeps a limited number of them for all replicas
// together (max_waiting, 512) and drops the rest without a word.
const pullRequests = 8

// What matters of requests that are bounded in bytes: what a message has beside body and headers, and how the server says
// that the next one does not fit any more, or that a request has brought all that it was for, which it says of no other.
const (
	pullOverhead = 4 << 10
	pullFull     = "Message Size Exceeds MaxBytes"
	pullDone     = "Batch Completed"
)

// stubbornAfter is how long handlers may take to notice that their context is canceled.
const stubbornAfter = 5 * time.Second

// pull asks the server for as many messages as there are free places, no more. The client library's own Consume holds
// messages for which no worker is free, which then wait for nothing, time out and are handled twice.
// The server is told at least once in extend that a message is still held.
func (b *Bus) pull(intake, work context.Context, cancelWork context.CancelFunc, w *worker, extend time.Duration) error {
	places := w.cfg.Workers + w.cfg.Prefetch
	changed := make(chan struct{}, 1)
	p := &puller{
		bus: b, worker: w, places: places, gather: max(places/8, min(pullWorth, places/4)), crew: newCrew(w, places, changed),
		// Room for every place, for a status of each request, and for what a lost request may still send.
		received: make(chan *nats.Msg, 4*places+64),
		changed:  changed,
		again:    make(chan struct{}, 1),
		verdicts: make(chan error, 1),
	}
	p.lanes = lanes{bus: b, api: "$JS.API.CONSUMER.MSG.NEXT." + w.cfg.Stream + "." + w.cfg.Durable, received: p.received}
	if w.cfg.MaxBytes > 0 {
		// Any one message must fit a request, and a request at least must always be possible beside what is held.
		largest := b.nc.MaxPayload() + pullOverhead
		w.cfg.MaxBytes = max(w.cfg.MaxBytes, 2*largest)
		p.grant = max(largest, w.cfg.MaxBytes/4)
	}
	if err := p.lanes.open(min(places, pullRequests)); err != nil {
		return fmt.Errorf("subscribing for %s: %w", w.cfg.Durable, err)
	}
	remove := b.afterReconnect(func() { notify(p.again) })
	defer remove()
	defer b.pullers.add(p)()
	over := make(chan struct{})
	defer close(over)
	go p.crew.keepAlive(extend, over)
	err := p.run(intake, work)
	if err != nil { // without a connection no result can be kept: the work is for nothing
		cancelWork()
	}
	if stubborn := p.drain(work); err == nil {
		err = stubborn
	}
	return err
}

// notify wakes whoever reads from c, now or when it next does.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// puller is one pull loop. Only its own goroutine touches what is below the line.
type puller struct {
	bus      *Bus
	worker   *worker
	places   int
	gather   int // free places that are worth a request of their own
	received chan *nats.Msg
	changed  chan struct{} // so many places became free that it is worth looking whether to ask
	again    chan struct{} // the connection was made again
	crew     *crew
	grant    int64       // bytes that one request may bring; 0 is no bound
	paused   atomic.Bool // nothing more is asked for, see [Bus.Pause]

	verdicts chan error // of looking whether the consumer is gone: why it is, or nil

	lanes   lanes
	wake    *time.Timer // when to look again whether to ask
	waking  bool        // wake is running
	due     bool        // free places have waited for others long enough
	pause   time.Time   // no asking before this time
	failing string      // why the server last refused, so that it is logged once
	looking bool        // somebody looks whether the consumer is gone
	missing int         // how often in a row it was
}

// run asks, receives and hands out until intake ends.
func (p *puller) run(intake, work context.Context) error {
	intake, cancel := context.WithCancel(intake)
	defer cancel()
	tick := time.NewTicker(pullHeartbeat)
	defer tick.Stop()
	p.wake = time.NewTimer(time.Hour)
	defer p.wake.Stop()
	for {
		p.crew.tellAt(p.ask(intake))
		select {
		case <-intake.Done():
			return nil
		case <-p.bus.closed:
			return p.bus.closedError()
		case msg := <-p.received:
			now := time.Now()
			p.take(intake, work, msg, now)
			p.takeMore(intake, work, now)
		case <-p.changed:
		case why := <-p.verdicts:
			if err := p.judge(why); err != nil {
				return err
			}
		case <-p.wake.C:
			p.waking, p.due = false, true
		case <-p.again: // after a reconnect the server may have forgotten all requests
			p.pause = time.Time{}
			p.renew(intake, time.Now(), 0)
		case now := <-tick.C:
			p.renew(intake, now, pullSilence)
		}
	}
}

// renew gives up requests that the server shows no sign of.
func (p *puller) renew(ctx context.Context, now time.Time, silence time.Duration) {
	n, err := p.lanes.renew(now, silence)
	if err != nil { // the connection is closed for good; the loop is about to see that
		p.bus.log.DebugContext(ctx, "a pull request could not be renewed", "consumer", p.worker.cfg.Durable, "err", err)
		return
	}
	if n > 0 && silence > 0 {
		p.bus.log.DebugContext(ctx, "no sign of pull requests; asking again", "consumer", p.worker.cfg.Durable, "requests", n)
	}
}

// ask sends a pull request for all free places, when it is time for one. It returns how few messages must be held for it to be
// worth asking again before anything else happens; negative is never.
func (p *puller) ask(ctx context.Context) (few int) {
	const never = -1
	held, owed := int(p.crew.count.Load()), p.lanes.owed()
	free := p.places - held - owed
	// What comes next will come on a request that is there. Another is worth its while when it is the larger one.
	if worth := max(owed, 1); free < worth {
		return p.places - owed - worth
	}
	if ctx.Err() != nil || p.paused.Load() || !p.bus.nc.IsConnected() { // the reconnect, and the end of the pause, ask again
		return never
	}
	now := time.Now()
	if wait := p.pause.Sub(now); wait > 0 {
		p.lookAgain(wait)
		return never
	}
	if owed == 0 && free < p.gather && !p.due { // quick handlers free more places at any moment
		p.lookAgain(pullGather)
		return p.places - p.gather
	}
	lane := p.lanes.idle()
	if lane == nil {
		return never // until a request has ended
	}
	if !p.fits() {
		return held - 1 // the next may be large enough
	}
	p.due = false
	if err := p.lanes.ask(lane, free, p.grant, now); err != nil {
		p.refused(ctx, err.Error())
		p.lookAgain(pullRetry)
		return never
	}
	owed += free
	return p.places - 2*owed
}

// fits reports whether the bytes that another request may bring have room beside those that are held or on their way.
func (p *puller) fits() bool {
	return p.grant == 0 || p.crew.bytes.Load()+int64(p.lanes.asked()+1)*p.grant <= p.worker.cfg.MaxBytes
}

// lookAgain makes the loop ask after a while, if it is not to do so sooner.
func (p *puller) lookAgain(wait time.Duration) {
	if !p.waking {
		p.waking = true
		p.wake.Reset(wait)
	}
}

// takeMore takes what has come together with a message, which is cheaper than to look each time what else there is to do.
func (p *puller) takeMore(intake, work context.Context, now time.Time) {
	for range p.places {
		select {
		case msg := <-p.received:
			p.take(intake, work, msg, now)
		default:
			return
		}
	}
}

// take sorts what arrives on the inbox: a message for a worker, or the server's word about a request.
func (p *puller) take(intake, work context.Context, msg *nats.Msg, now time.Time) {
	if isMessage(msg) {
		p.lanes.got(msg, now)
		p.failing, p.missing = "", 0
		p.crew.take(intake, work, msg, now)
		return
	}
	switch status := msg.Header.Get("Status"); status {
	case "100": // a heartbeat
		p.lanes.status(msg, false, now)
	case "408", "404": // the request has ended
		p.lanes.status(msg, true, now)
	default: // 409 consumer deleted, leadership change, server shutdown, …; 503 nobody serves the consumer
		p.lanes.status(msg, true, now)
		if why := msg.Header.Get("Description"); why == pullFull || why == pullDone {
			return
		}
		p.refused(intake, strings.TrimSpace(status+" "+msg.Header.Get("Description")))
	}
}

// refused pauses the asking and says why, once. It looks whether the consumer is still there.
func (p *puller) refused(ctx context.Context, why string) {
	p.pause = time.Now().Add(pullRetry)
	if !p.looking {
		p.looking = true
		p.crew.hands.Go(func() { p.verdicts <- p.bus.goneBecause(ctx, p.worker.cfg) })
	}
	if p.failing != why {
		p.failing = why
		if began := p.bus.clock(); !began.IsZero() {
			p.bus.afterwards(ctx, began, receiving(p.worker.cfg.Stream), events.Errorf(events.CodeUnavailable, "%s", why),
				keyGroup.String(p.worker.cfg.Durable), keyConsumer.String(p.worker.cfg.Durable), keyBatch.Int(0))
		}
		p.bus.log.WarnContext(ctx, "the server does not hand out messages; asking until it does",
			"stream", p.worker.cfg.Stream, "consumer", p.worker.cfg.Durable, "err", why)
	}
}

// drain finishes what was begun and gives back what the server still sent. It returns when nothing is held any more, or
// with an error when handlers do not end although their context has.
func (p *puller) drain(work context.Context) error {
	done, left := make(chan struct{}), make(chan struct{})
	p.crew.dismiss(work)
	go func() {
		p.crew.hands.Wait()
		close(done)
	}()
	go func() {
		p.leave(work)
		close(left)
	}()
	canceled := work.Done()
	var stubborn <-chan time.Time
	for done != nil || left != nil {
		select {
		case msg := <-p.received:
			p.worker.giveBack(work, msg)
		case <-done:
			done = nil
		case <-left:
			left = nil
		case <-canceled:
			canceled = nil
			timer := time.NewTimer(stubbornAfter)
			defer timer.Stop()
			stubborn = timer.C
		case <-stubborn:
			return fmt.Errorf("%d messages of %s are still being handled %s after they were canceled: their handlers do not heed their context",
				p.crew.count.Load(), p.worker.cfg.Durable, stubbornAfter)
		}
	}
	for {
		select {
		case msg := <-p.received:
			p.worker.giveBack(work, msg)
		default:
			p.bus.flush(work) // the acks
			return nil
		}
	}
}

// leave ends the subscriptions so that whatever the server sent before is here afterwards. Drain keeps them here until the
// server has heard of their end; a plain unsubscribe would drop messages that are on their way, and they would wait for
// their ack timeout.
func (p *puller) leave(work context.Context) {
	if err := p.lanes.drain(); err != nil {
		p.bus.log.DebugContext(work, "draining failed; the connection is closed", "err", err)
	}
	p.bus.flush(work)
}

// flush waits until the server has heard everything so far; not for a server that is not there.
func (b *Bus) flush(ctx context.Context) {
	if !b.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer cancel()
	if err := b.nc.FlushWithContext(ctx); err != nil {
		b.log.DebugContext(ctx, "flushing failed; the connection broke", "err", err)
	}
}
