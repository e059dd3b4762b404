package client

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// streamBuffer is how many chunks of a stream wait for a loop that does not keep up.
const streamBuffer = 4096

// GenerateStream answers as the model goes: each round of the loop gets one chunk. An error is the last thing that the
// loop gets; without one the answer is complete. Leaving the loop ends the stream, and looping again asks again.
//
// Nothing is lost in silence: a connection that breaks ends the stream with an error of code unavailable, and a loop so
// slow that thousands of chunks wait for it with one of code failed_precondition.
func (c *Client) GenerateStream(ctx context.Context, req events.ChatRequest) iter.Seq2[events.ChatChunk, error] {
	return func(yield func(events.ChatChunk, error) bool) {
		if err := c.stream(ctx, req, func(chunk events.ChatChunk) bool { return yield(chunk, nil) }); err != nil {
			yield(events.ChatChunk{}, err)
		}
	}
}

// stream hands every chunk to take until take has enough.
func (c *Client) stream(ctx context.Context, req events.ChatRequest, take func(events.ChatChunk) bool) error {
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
	ctx, release := c.denials.await(ctx, subject)
	defer release()
	ctx, stop := c.whileConnected(ctx)
	defer stop()

	msg.Reply = c.nc.NewInbox()
	chunks := make(chan *nats.Msg, streamBuffer)
	sub, err := c.nc.ChanSubscribe(msg.Reply, chunks)
	if err != nil {
		return requestError(ctx, subject, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails on a closed connection only, which has no subscriptions
	if err := c.nc.PublishMsg(msg); err != nil {
		return requestError(ctx, subject, err)
	}

	idle := time.NewTimer(c.timeout)
	defer idle.Stop()
	if patient { // the caller's deadline is the only one
		idle.Stop()
	}
	for {
		select {
		case m := <-chunks:
			if more, err := takeChunk(subject, sub, m, take); err != nil || !more {
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

// takeChunk handles one message of a stream and reports whether more may come.
func takeChunk(subject string, sub *nats.Subscription, m *nats.Msg, take func(events.ChatChunk) bool) (more bool, err error) {
	if lost, err := sub.Dropped(); err == nil && lost > 0 {
		return false, events.Errorf(events.CodeFailedPrecondition, "the stream was not read fast enough: %d chunks are lost", lost)
	}
	if failure := events.DecodeError(m.Header, m.Data); failure != nil {
		return false, failure
	}
	if len(m.Data) == 0 {
		if m.Header.Get("Status") == "503" { // the server's own word that nobody listens
			return false, nobodyAnswers(subject)
		}
		return false, nil
	}
	var chunk events.ChatChunk
	if err := json.Unmarshal(m.Data, &chunk); err != nil {
		return false, events.Errorf(events.CodeInternal, "a chunk on %s cannot be read: %w", subject, err)
	}
	return take(chunk), nil
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
