package bus

import (
	"errors"
	"fmt"
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
	reply   string
	arrived time.Time

	mu    sync.Mutex
	state state
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
	if err := r.send(body, map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}); err != nil {
		return err
	}
	r.state = answered
	return nil
}

// Send sends one chunk of a streamed answer. After the handler has returned, an empty message marks the end.
func (r *Request) Send(chunk []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != unanswered && r.state != streaming {
		return errAnswered
	}
	if len(chunk) == 0 {
		return errors.New("an empty chunk would mark the end of the stream")
	}
	if err := r.send(chunk, map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}); err != nil {
		return err
	}
	r.state = streaming
	return nil
}

// finish sends what is still owed to the caller when the work has ended: the error, or the end of a stream. A handler that
// neither answered nor failed has failed; finish returns what the request ended with.
func (r *Request) finish(err error) (outcome, sendErr error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.state
	r.state = over
	if err == nil && was == unanswered {
		err = fmt.Errorf("the handler of %s neither answered nor failed", r.Subject)
	}
	switch {
	case err != nil && (was == unanswered || was == streaming):
		header, body := events.EncodeError(events.AsError(err))
		return err, r.send(body, header)
	case err == nil && was == streaming:
		return nil, r.send(nil, nil)
	default:
		return err, nil
	}
}

// send publishes to the caller's inbox.
func (r *Request) send(body []byte, header map[string][]string) error {
	msg := &nats.Msg{Subject: r.reply, Header: header, Data: body}
	if limit := r.bus.nc.MaxPayload(); limit > 0 && int64(msg.Size()) > limit {
		return events.Errorf(events.CodeInvalidArgument, "the reply has %d bytes; one message takes at most %d: ask for less at once", msg.Size(), limit)
	}
	if err := r.bus.nc.PublishMsg(msg); err != nil {
		return events.Errorf(events.CodeUnavailable, "the reply could not be sent: %w", err)
	}
	return nil
}
