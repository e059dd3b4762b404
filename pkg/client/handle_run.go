package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Timings of the end.
const (
	stubbornAfter = 5 * time.Second  // how long handlers may take to notice that their context is canceled
	goneAfter     = 10 * time.Second // how long a consumer may be unknown: servers that start may not know it yet
)

// run hands out events until ctx ends, then drains.
func (h *Handling) run(ctx context.Context, p *puller) error {
	// The work outlives the intake by the time of the drain.
	work, cancelWork := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelWork()
	finished := make(chan struct{}, h.set.concurrency)
	held, err := h.intake(ctx, work, p, finished)
	patience := h.set.drain
	if err != nil { // nothing can be acked any more: what is being handled will be handled again
		patience = 0
	}
	if stubborn := h.drain(p, held, finished, patience, cancelWork); err == nil {
		err = stubborn
	}
	return err
}

// intake asks, receives and hands out until ctx ends. It returns how many events are still being handled.
func (h *Handling) intake(ctx, work context.Context, p *puller, finished chan struct{}) (held int, err error) {
	permitted, release := h.client.denials.await(ctx, p.api)
	defer release()
	status := h.client.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer h.client.nc.RemoveStatusListener(status)
	tick := time.NewTicker(pullPause)
	defer tick.Stop()
	var missing time.Time // since when the consumer is unknown
	for {
		if h.client.nc.IsClosed() {
			return held, events.Errorf(events.CodeUnavailable, "the connection to NATS is closed")
		}
		if err := p.ask(h.set.concurrency - held); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			h.set.log.DebugContext(ctx, "the server cannot be asked for events; asking until it can", "err", err)
		}
		select {
		case <-permitted.Done():
			if ctx.Err() == nil { // a server that forbids to ask would not say so on the inbox
				err = context.Cause(permitted)
			}
			return held, err
		case <-finished:
			held--
		case <-status: // after a reconnect the server has forgotten all requests
			err = p.renew(0)
		case <-tick.C:
			err = p.renew(pullSilence)
		case msg := <-p.received:
			switch p.sort(msg) {
			case pulledMessage:
				missing = time.Time{}
				if held == h.set.concurrency { // a request that was taken for lost was not
					h.nak(work, msg)
					continue
				}
				held++
				go func() {
					defer func() { finished <- struct{}{} }()
					h.handle(work, msg)
				}()
			case pulledDeleted:
				return held, h.gone()
			case pulledNobody:
				if missing, err = h.look(ctx, missing); err != nil {
					return held, err
				}
			}
		}
		if err != nil && !h.client.nc.IsClosed() {
			return held, requestError(ctx, h.stream, err)
		}
	}
}

// look finds out whether the consumer is still there when nobody serves it, and returns since when it is not.
func (h *Handling) look(ctx context.Context, missing time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := h.client.js.Consumer(ctx, h.stream, h.consumer)
	switch {
	case !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound):
		return time.Time{}, nil // it is there, or nobody knows
	case missing.IsZero():
		return time.Now(), nil
	case time.Since(missing) < goneAfter:
		return missing, nil
	default:
		return missing, h.gone()
	}
}

// gone is the end of a handler whose place was removed.
func (h *Handling) gone() error {
	return events.Errorf(events.CodeFailedPrecondition, "the consumer %s was removed from %s: what was handled is no longer known", h.consumer, h.stream)
}

// drain gives back what was received and not begun, and waits for what is being handled: for patience until it cancels the
// work, and then a little more.
func (h *Handling) drain(p *puller, held int, finished <-chan struct{}, patience time.Duration, cancelWork context.CancelFunc) error {
	ctx := context.Background()
	left := make(chan struct{})
	go func() {
		defer close(left)
		if err := p.sub.Drain(); err == nil { // so that whatever the server sent before still arrives
			h.flush(ctx)
		}
	}()
	tooLong := time.NewTimer(patience)
	defer tooLong.Stop()
	var stubborn <-chan time.Time
	for held > 0 || left != nil {
		select {
		case <-finished:
			held--
		case msg := <-p.received:
			h.giveBack(ctx, msg)
		case <-left:
			left = nil
		case <-tooLong.C:
			cancelWork()
			timer := time.NewTimer(stubbornAfter)
			defer timer.Stop()
			stubborn = timer.C
		case <-stubborn:
			return fmt.Errorf("%d handlers are still at work %s after their context was canceled", held, stubbornAfter)
		}
	}
	for {
		select {
		case msg := <-p.received:
			h.giveBack(ctx, msg)
		default:
			h.flush(ctx) // the acks
			return nil
		}
	}
}

// giveBack returns an event that nobody began, so that another process may have it at once.
func (h *Handling) giveBack(ctx context.Context, msg *nats.Msg) {
	if msg.Reply != "" {
		h.nak(ctx, msg)
	}
}

func (h *Handling) nak(ctx context.Context, msg *nats.Msg) {
	if err := msg.Nak(); err != nil {
		h.set.log.DebugContext(ctx, "an event could not be given back; the server hands it out again by itself", "err", err)
	}
}

// flush waits until the server has heard everything so far; not for a server that is not there.
func (h *Handling) flush(ctx context.Context) {
	if !h.client.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := h.client.nc.FlushWithContext(ctx); err != nil {
		h.set.log.DebugContext(ctx, "flushing failed; the connection broke", "err", err)
	}
}

// keepAlive tells the server at intervals that a message is being worked on, until stop is called.
func keepAlive(msg *nats.Msg, every time.Duration) (stop func()) {
	var mu sync.Mutex
	stopped := false
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(every, func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		// A failure means that the connection is down, and it may be back before the server hands the message out again.
		if err := msg.InProgress(); !errors.Is(err, nats.ErrConnectionClosed) {
			timer.Reset(every)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}
