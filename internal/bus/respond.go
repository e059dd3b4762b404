package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Request is an interactive request in the hands of a handler. It is the handler's until the handler returns; whatever is
// left running after that can no longer answer.
type Request struct {
	Subject string
	// Caller is who asks: the token behind "as" in the subject, which NATS permissions vouch for, or "default".
	Caller string
	Header map[string][]string
	Body   []byte

	bus     *Bus
	plain   map[string][]string // the headers of every answer in one piece, which nobody changes
	reply   string
	size    int64 // of the body as it came
	arrived time.Time

	ctx      context.Context //nolint:containedctx // the handler's, for what it does not hand over: Send waits no longer
	quit     context.CancelCauseFunc
	controls *controls // nil when the operation does not stream
	window   int
	patience time.Duration

	mu     sync.Mutex
	state  state
	flow   *flow               // of the stream, once there is one
	header map[string][]string // of its chunks
	msg    nats.Msg            // the last that was sent
	pulse  pulse
	reason string
	usage  *events.ChatUsage
}

// state says how far the answer to a request is.
type state int

const (
	unanswered state = iota
	streaming        // chunks have been sent; the end has not
	answered
	over // the handler has returned
)

// errAnswered is what a second answer gets.
var errAnswered = errors.New("the request has been answered already")

// Arrived returns when the request came.
func (r *Request) Arrived() time.Time { return r.arrived }

// Respond sends the one answer. An answer larger than the server takes is an [events.Error] of code invalid_argument,
// which the handler may return as it is or word better.
func (r *Request) Respond(body []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != unanswered {
		return errAnswered
	}
	r.msg = nats.Msg{Subject: r.reply, Header: r.plain, Data: body}
	err := r.send(&r.msg)
	r.msg.Data = nil
	if err != nil {
		return err
	}
	r.state = answered
	return nil
}

// Send sends one chunk of a streamed answer. After the handler has returned, an empty message marks the end. When the reader
// paces the stream, Send waits until there is room. Its error says why nobody wants more: it has ended ctx too, and the handler
// should return.
func (r *Request) Send(chunk []byte) error {
	if len(chunk) == 0 {
		return errors.New("an empty chunk would mark the end of the stream")
	}
	if r.controls == nil {
		return events.Errorf(events.CodeInternal, "%s does not stream", r.Subject)
	}
	for {
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		sent, err := r.trySend(chunk)
		if sent || err != nil {
			return err
		}
		if err := r.flow.wait(r.ctx, r.patience); err != nil {
			return err
		}
	}
}

// trySend sends a chunk if the reader has room for it.
func (r *Request) trySend(chunk []byte) (sent bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != unanswered && r.state != streaming {
		return false, errAnswered
	}
	r.open()
	sequence, room := r.flow.take()
	if !room {
		return false, nil
	}
	r.header[events.HeaderSequence][0] = strconv.FormatUint(sequence, 10)
	r.msg = nats.Msg{Subject: r.reply, Reply: r.flow.subject, Header: r.header, Data: chunk}
	if err := r.send(&r.msg); err != nil {
		r.flow.giveBack()
		return false, err
	}
	r.state = streaming
	r.pulse.sent()
	return true, nil
}

// open makes the stream, if there is none yet. The lock is held.
func (r *Request) open() {
	if r.flow == nil {
		r.flow = r.controls.open(r, r.window)
		r.header = map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}, events.HeaderSequence: {""}}
	}
}

// Ends says what stands at the end of a stream: why the model stopped, one of the reasons of the contract, and what it used.
// What is not known is empty, or nil.
func (r *Request) Ends(reason string, usage *events.ChatUsage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reason, r.usage = reason, usage
}

// finish sends what is still owed to the caller when the work has ended: the error, with what was said before it, or the end
// of a stream. A handler that neither answered nor failed has failed; finish returns what the request ended with.
func (r *Request) finish(err error, said *events.ChatResponse) (outcome, sendErr error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.state
	r.state = over
	r.pulse.stop()
	if r.flow != nil {
		r.controls.shut(r.flow)
	}
	if err == nil && was == unanswered {
		err = fmt.Errorf("the handler of %s neither answered nor failed", r.Subject)
	}
	end := StreamEnd{Reason: r.reason, Usage: r.usage}
	if r.flow != nil && was == streaming {
		end.Sequence = r.flow.sent + 1
	}
	switch {
	case err != nil && (was == unanswered || was == streaming):
		end.Err, end.Partial = err, said
		return err, r.send(end.message(r.reply, r.bus.nc.MaxPayload()))
	case err == nil && was == streaming:
		return nil, r.send(end.message(r.reply, r.bus.nc.MaxPayload()))
	default:
		return err, nil
	}
}

// send publishes to the caller's inbox.
func (r *Request) send(msg *nats.Msg) error {
	err := r.bus.nc.PublishMsg(msg)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return events.Errorf(events.CodeInvalidArgument, "the reply has %d bytes; one message takes at most %d: ask for less at once",
			msg.Size(), r.bus.nc.MaxPayload())
	default:
		return events.Errorf(events.CodeUnavailable, "the reply could not be sent: %w", err)
	}
}
