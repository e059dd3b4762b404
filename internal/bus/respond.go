package bus

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Request is an interactive request in the hands of a handler. It belongs to that handler's goroutine.
type Request struct {
	Subject string
	// Caller is who asks: the token behind "as" in the subject, which NATS permissions vouch for, or "default".
	Caller string
	Header map[string][]string
	Body   []byte

	bus       *Bus
	reply     string
	arrived   time.Time
	answered  bool
	streaming bool
}

// Arrived returns when the request came.
func (r *Request) Arrived() time.Time { return r.arrived }

// Respond sends the one answer. An answer larger than the server takes is an [events.Error] of code invalid_argument,
// which the handler may return as it is or word better.
func (r *Request) Respond(body []byte) error {
	if r.answered {
		return errors.New("the request has been answered already")
	}
	if err := r.send(body, map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}); err != nil {
		return err
	}
	r.answered = true
	return nil
}

// Send sends one chunk of a streamed answer. After the handler has returned, an empty message marks the end.
func (r *Request) Send(chunk []byte) error {
	if r.answered && !r.streaming {
		return errors.New("the request has been answered already")
	}
	if len(chunk) == 0 {
		return errors.New("an empty chunk would mark the end of the stream")
	}
	if err := r.send(chunk, map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}); err != nil {
		return err
	}
	r.answered, r.streaming = true, true
	return nil
}

// end marks the end of a stream.
func (r *Request) end() error { return r.send(nil, nil) }

// fail sends an error reply, unless the one answer has been sent.
func (r *Request) fail(err *events.Error) error {
	if r.answered && !r.streaming {
		return nil
	}
	header, body := events.EncodeError(err)
	return r.send(body, header)
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
