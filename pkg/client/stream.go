package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How a stream is paced: so many chunks may be on their way or wait for the loop, and after so many the service is told that
// they were taken.
const (
	streamWindow = 256
	streamAck    = 64
	// A slow loop shows that it is there, and looks whether the service is.
	streamSign = 5 * time.Second
)

// GenerateStream answers as the model goes: each round of the loop gets one chunk. An error is the last thing that the
// loop gets; without one the answer is complete. Leaving the loop cancels the work on the rest, and looping again asks again.
//
// Nothing is lost in silence. A loop that is slow slows the model down, but who takes nothing for half a minute is given up
// with an error of code failed_precondition; a connection that breaks ends the stream with one of code unavailable.
func (c *Client) GenerateStream(ctx context.Context, req events.ChatRequest, options ...GenerateOption) iter.Seq2[events.ChatChunk, error] {
	return func(yield func(events.ChatChunk, error) bool) {
		if err := c.stream(ctx, req, options, func(chunk events.ChatChunk) bool { return yield(chunk, nil) }); err != nil {
			yield(events.ChatChunk{}, err)
		}
	}
}

// stream hands every chunk to take until take has enough.
func (c *Client) stream(ctx context.Context, req events.ChatRequest, options []GenerateOption, take func(events.ChatChunk) bool) error {
	req.Stream = true
	if err := req.Validate(); err != nil {
		return err
	}
	_, patient := ctx.Deadline()
	subject := c.subjects.Interactive(c.caller, events.OpGenerate)
	msg, err := c.message(ctx, subject, req)
	if err != nil {
		return err
	}
	id := events.NewID()
	msg.Header[events.HeaderRequestID] = []string{id}
	msg.Header[events.HeaderWindow] = []string{strconv.Itoa(streamWindow)}
	for _, option := range options {
		option(msg.Header)
	}
	ctx, release := c.denials.await(ctx, subject)
	defer release()
	ctx, stop := c.whileConnected(ctx)
	defer stop()

	msg.Reply = c.nc.NewInbox()
	chunks, signs := make(chan *nats.Msg, streamWindow+1), make(chan struct{}, 1) // one more for the end
	sub, err := c.listen(ctx, msg, chunks, signs)
	if err != nil {
		return requestError(ctx, subject, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails on a closed connection only, which has no subscriptions
	if err := c.nc.PublishMsg(msg); err != nil {
		return requestError(ctx, subject, err)
	}
	r := streamReader{client: c, subject: subject, sub: sub, take: take, ackedAt: time.Now()}
	defer func() {
		if !r.ended {
			c.cancel(id)
		}
	}()

	idle := time.NewTimer(c.timeout)
	defer idle.Stop()
	if patient { // the caller's deadline is the only one
		idle.Stop()
	}
	sign := time.NewTicker(streamSign)
	defer sign.Stop()
	for {
		select {
		case <-sign.C:
			r.acknowledge()
			continue
		case <-signs: // the service is there
		case m := <-chunks:
			if more, err := r.read(m); err != nil || !more {
				return err
			}
		case <-idle.C:
			return events.Errorf(events.CodeDeadlineExceeded, "nothing more came on %s for %v", subject, c.timeout)
		case <-ctx.Done():
			return requestError(ctx, subject, ctx.Err())
		}
		if !patient {
			idle.Reset(c.timeout)
		}
	}
}

// listen subscribes to the answer to a request. Signs of life, if the request asks for them, are kept out of chunks: the service does not
// wait until they are read, so that a slow loop would have no room for anything else.
func (c *Client) listen(ctx context.Context, asked *nats.Msg, chunks chan *nats.Msg, signs chan<- struct{}) (*nats.Subscription, error) {
	if events.HeaderValue(asked.Header, events.HeaderKeepaliveMS) == "" {
		return c.nc.ChanSubscribe(asked.Reply, chunks)
	}
	return c.nc.Subscribe(asked.Reply, func(m *nats.Msg) {
		if events.HeaderValue(m.Header, events.HeaderKeepalive) != "" {
			select {
			case signs <- struct{}{}:
			default: // one is as good as two
			}
			return
		}
		select {
		case chunks <- m:
		case <-ctx.Done():
		}
	})
}

// cancel tells the service that nobody wants the answer to a request any more.
func (c *Client) cancel(id string) {
	_ = c.nc.Publish(c.subjects.Cancel(c.caller, id), nil) // fails without a connection only, which the service notices by itself
}

// streamReader reads one stream.
type streamReader struct {
	client  *Client
	subject string
	sub     *nats.Subscription
	take    func(events.ChatChunk) bool
	last    uint64 // the sequence of what was read last
	acked   uint64 // and of what the service was told of last, at that time
	ackedAt time.Time
	control string // where the service listens; empty as long as that is not known
	ended   bool   // the service has said all that it will
}

// read handles one message and reports whether more may come.
func (r *streamReader) read(m *nats.Msg) (more bool, err error) {
	if lost, err := r.sub.Dropped(); err == nil && lost > 0 {
		return false, events.Errorf(events.CodeFailedPrecondition, "the stream was not read fast enough: %d chunks are lost", lost)
	}
	sequence, numbered := sequenceOf(m.Header)
	if numbered && sequence != r.last+1 {
		return false, events.Errorf(events.CodeUnavailable, "chunk %d of the stream came behind chunk %d: what is between them is lost", sequence, r.last)
	}
	if failure := events.DecodeError(m.Header, m.Data); failure != nil {
		r.ended = true
		return false, failure
	}
	if len(m.Data) == 0 {
		r.ended = true
		if m.Header.Get("Status") == "503" { // the server's own word that nobody listens
			if r.last > 0 {
				return false, events.Errorf(events.CodeUnavailable, "the service that answered on %s is gone before everything had arrived", r.subject)
			}
			return false, nobodyAnswers(r.subject)
		}
		return false, nil
	}
	var chunk events.ChatChunk
	if err := json.Unmarshal(m.Data, &chunk); err != nil {
		return false, events.Errorf(events.CodeInternal, "a chunk on %s cannot be read: %w", r.subject, err)
	}
	if !r.take(chunk) {
		return false, nil
	}
	if r.last = sequence; numbered {
		r.listens(m.Reply)
		if sequence-r.acked >= streamAck || time.Since(r.ackedAt) > streamSign {
			r.acknowledge()
		}
	}
	return true, nil
}

// listens notes where the service listens, which is the reply subject of its chunks, provided that streams of this caller are
// paced there: a reply subject is what the sender likes it to be.
func (r *streamReader) listens(subject string) {
	if r.control != "" {
		return
	}
	streams := strings.TrimSuffix(r.client.subjects.StreamControl(r.client.caller, "", ""), ".")
	if strings.HasPrefix(subject, streams) {
		r.control = subject
	}
}

// acknowledge tells the service how far the reader is. When nobody is there any more, the server says so to the inbox.
func (r *streamReader) acknowledge() {
	if r.control == "" {
		return
	}
	r.acked, r.ackedAt = r.last, time.Now()
	_ = r.client.nc.PublishRequest(r.control, r.sub.Subject, fmt.Appendf(nil, `{"received":%d}`, r.last)) // whileConnected sees a failure
}

// sequenceOf reads the place of a message in its stream; ok is false when it has none, as with services of an older version.
func sequenceOf(header nats.Header) (sequence uint64, ok bool) {
	sequence, err := strconv.ParseUint(events.HeaderValue(header, events.HeaderSequence), 10, 64)
	return sequence, err == nil
}

// whileConnected returns a ctx that also ends, with an error of code unavailable as its cause, when the connection
// breaks. stop must be called.
func (c *Client) whileConnected(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	broken := c.nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	go func() {
		defer c.nc.RemoveStatusListener(broken)
		select {
		case <-broken:
			cancel(events.Errorf(events.CodeUnavailable, "the connection to NATS broke before everything had arrived"))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
