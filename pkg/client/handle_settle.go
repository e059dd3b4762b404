package client

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// crashesAllowed is how many times more than the schedule says an event may have been handed out before it is given up
// without another try: what is handed out so often was cut short each time, perhaps because it brings the process down.
const crashesAllowed = 10

// handle runs the handlers on one message and tells the server what became of it.
func (h *Handling) handle(ctx context.Context, msg *nats.Msg) {
	stop := keepAlive(msg, h.set.takeOver/3)
	defer stop()
	meta, err := msg.Metadata()
	if err != nil { // not from a stream: nobody waits for an answer
		h.set.log.ErrorContext(ctx, "a message without JetStream metadata was ignored", "subject", msg.Subject, "err", err)
		return
	}
	ev, err := events.FromMessage(h.client.subjects, msg.Subject, msg.Header, msg.Data, events.Stored{
		Stream: meta.Stream, Sequence: meta.Sequence.Stream, Time: meta.Timestamp,
	})
	if err != nil {
		h.reportBad(ctx, msg, meta, err)
		h.said(ctx, ev, terminate(msg, err))
		return
	}
	attempt := int(min(meta.NumDelivered, 1<<30))
	if attempt > h.set.retry.attempts()+crashesAllowed {
		err = Permanent(fmt.Errorf("handed out %d times, and its handling never came to an end", attempt))
	} else {
		err = h.call(ctx, ev)
	}
	if payload, ok := errors.AsType[*payloadError](err); ok {
		h.reportBad(ctx, msg, meta, payload.err)
		err = nil
	}
	h.said(ctx, ev, h.settle(ctx, msg, ev, attempt, err))
}

// call calls the handlers. A panic counts as an error: one bad event must not take the process down.
func (h *Handling) call(ctx context.Context, ev events.Event) (err error) {
	defer h.recovered(ctx, ev, &err)
	// What our filters do not let pass was asked for by another process of this name, which may have it instead.
	if !slices.ContainsFunc(h.filters, func(p string) bool { return covers(p, ev.Type) }) {
		return fmt.Errorf("this process has no handler of %s; another that shares its name asked for it", ev.Type)
	}
	return h.mux.Handle(ctx, ev)
}

// recovered is deferred; it turns a panic into an error.
func (h *Handling) recovered(ctx context.Context, ev events.Event, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
		h.set.log.ErrorContext(ctx, "a handler panicked", "event_type", ev.Type, "event_id", ev.ID, "panic", r, "stack", string(debug.Stack()))
	}
}

// reportBad reports what can never be handled.
func (h *Handling) reportBad(ctx context.Context, msg *nats.Msg, meta *nats.MsgMetadata, err error) {
	bad := &BadEventError{Subject: msg.Subject, Sequence: meta.Sequence.Stream, Err: err}
	if h.set.onBad == nil {
		h.set.log.WarnContext(ctx, "a message that is no valid event was passed over", "sequence", bad.Sequence, "err", bad)
		return
	}
	var panicked error // logged, and there is nobody else to tell
	defer h.recovered(ctx, events.Event{Type: msg.Subject}, &panicked)
	h.set.onBad(bad)
}

// settle tells the server one word about a message.
func (h *Handling) settle(ctx context.Context, msg *nats.Msg, ev events.Event, attempt int, cause error) error {
	log := h.set.log.With("event_type", ev.Type, "event_id", ev.ID, "attempt", attempt)
	switch {
	case cause == nil:
		return msg.Ack()
	case ctx.Err() != nil: // cut short by the stop: another process may have it at once
		return msg.Nak()
	case !isPermanent(cause) && attempt < h.set.retry.attempts():
		wait := max(h.set.retry.wait(attempt), min(events.AsError(cause).RetryAfter, events.MaxEndpointWait))
		log.WarnContext(ctx, "an event was not handled; it comes again", "wait", wait, "err", cause)
		return again(msg, wait)
	}
	if err := h.giveUp(ctx, ev, cause); err != nil {
		log.ErrorContext(ctx, "an event is to be given up, and that failed; it comes again", "err", err, "cause", cause)
		return again(msg, max(h.set.retry.wait(attempt), time.Second))
	}
	log.ErrorContext(ctx, "an event was given up", "err", cause)
	return terminate(msg, cause)
}

// giveUp calls what was registered with [OnGiveUp].
func (h *Handling) giveUp(ctx context.Context, ev events.Event, cause error) (err error) {
	if h.set.giveUp == nil {
		return nil
	}
	defer h.recovered(ctx, ev, &err)
	return h.set.giveUp(ctx, ev, cause)
}

// said logs that the server was not told what became of an event.
func (h *Handling) said(ctx context.Context, ev events.Event, err error) {
	if err != nil {
		h.set.log.WarnContext(ctx, "the server was not told what became of an event; it hands it out again", "event_type", ev.Type, "event_id", ev.ID, "err", err)
	}
}

// again asks for the message to be handed out again after a while.
func again(msg *nats.Msg, wait time.Duration) error {
	if wait <= 0 {
		return msg.Nak()
	}
	return msg.NakWithDelay(wait)
}

// terminate asks the server to hand the message out no more, and to tell whoever listens to its advisories why.
func terminate(msg *nats.Msg, cause error) error {
	reason := strings.Join(strings.Fields(strings.ToValidUTF8(cause.Error(), "?")), " ")
	const limit = 500
	if len(reason) > limit {
		reason = strings.ToValidUTF8(reason[:limit], "")
	}
	return msg.Respond([]byte("+TERM " + reason))
}
