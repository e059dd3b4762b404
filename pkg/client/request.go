package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Call asks for any interactive operation, such as [events.OpCIStatus], and decodes the reply into resp. A nil req sends
// an empty object; a nil resp ignores the reply's body.
func (c *Client) Call(ctx context.Context, operation string, req, resp any) error {
	if err := events.CheckType(operation); err != nil {
		return events.Errorf(events.CodeInvalidArgument, "%q is not the name of an operation, like %q", operation, events.OpCIStatus)
	}
	subject := c.subjects.Interactive(c.caller, operation)
	for _, op := range events.Operations() {
		if op.Name != operation || !op.CallerOnly {
			continue
		}
		if c.caller == "" {
			return events.Errorf(events.CodeFailedPrecondition, "%s is only answered to a named caller: make the client with client.Caller", operation)
		}
		subject = c.subjects.Below("as." + c.caller + "." + operation) // there is no plain form, not even for the default caller
	}
	if req == nil {
		req = struct{}{}
	}
	if slices.Contains(events.RequestKinds(), operation) {
		return c.askCancelable(ctx, subject, req, resp)
	}
	return c.ask(ctx, subject, "", req, resp)
}

// askCancelable is ask for what takes long and costs something: when ctx ends before the reply is there, the work ends too.
func (c *Client) askCancelable(ctx context.Context, subject string, req, resp any, options ...GenerateOption) error {
	id, sent := events.NewID(), ctx.Err() == nil // what has no time is not sent at all
	err := c.ask(ctx, subject, id, req, resp, options...)
	if sent && ctx.Err() != nil {
		c.cancel(id)
	}
	return err
}

// ask sends one request and waits for the one reply. An id that is not empty goes along with it.
func (c *Client) ask(ctx context.Context, subject, id string, req, resp any, options ...GenerateOption) error {
	ctx, cancel := c.patience(ctx)
	defer cancel()
	msg, err := c.message(ctx, subject, req)
	if err != nil {
		return err
	}
	if id != "" {
		msg.Header[events.HeaderRequestID] = []string{id}
	}
	for _, option := range options {
		option(msg.Header)
	}
	ctx, release := c.denials.await(ctx, subject)
	defer release()
	answer, err := c.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return requestError(ctx, subject, err)
	}
	return decodeReply(subject, answer.Header, answer.Data, resp)
}

// patience bounds ctx unless it has a deadline.
func (c *Client) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

// message encodes a request, with the deadline that ctx has, and refuses what is too large.
func (c *Client) message(ctx context.Context, subject string, req any) (*nats.Msg, error) {
	return c.messageOf(ctx, subject, req, events.MaxBody)
}

// messageOf is message for a body of at most so many bytes.
func (c *Client) messageOf(ctx context.Context, subject string, req any, most int) (*nats.Msg, error) {
	body, err := json.Marshal(req)
	if err != nil {
		if coded, ok := errors.AsType[*events.Error](err); ok {
			return nil, coded
		}
		return nil, events.Errorf(events.CodeInvalidArgument, "the request cannot be written as JSON: %w", err)
	}
	if len(body) > most {
		return nil, events.Errorf(events.CodeInvalidArgument, "the request has %d bytes; at most %d are allowed", len(body), most)
	}
	msg := &nats.Msg{Subject: subject, Data: body, Header: nats.Header{events.HeaderContentType: {events.ContentTypeJSON}}}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if left <= 0 {
			return nil, events.Errorf(events.CodeDeadlineExceeded, "the deadline passed before the request on %s was sent", subject)
		}
		if left <= maxPatience {
			msg.Header[events.HeaderTimeoutMS] = []string{strconv.FormatInt(max(left.Milliseconds(), 1), 10)}
		}
	}
	if err := c.checkSize(msg); err != nil {
		return nil, err
	}
	return c.traced(ctx, msg), nil
}

// maxPatience is the longest that the header of a request may ask for; who waits longer need not say so.
const maxPatience = 24 * time.Hour

// checkSize refuses a message that the server would not take.
func (c *Client) checkSize(msg *nats.Msg) error {
	if limit := c.nc.MaxPayload(); limit > 0 && int64(msg.Size()) > limit {
		return events.Errorf(events.CodeInvalidArgument, "the message for %s has %d bytes; the server takes at most %d", msg.Subject, msg.Size(), limit)
	}
	return nil
}

// decodeReply returns the reply's error, or reads its body into resp.
func decodeReply(subject string, header map[string][]string, body []byte, resp any) error {
	if failure := events.DecodeError(header, body); failure != nil {
		return failure
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(body, resp); err != nil {
		return events.Errorf(events.CodeInternal, "the reply on %s cannot be read: %w", subject, err)
	}
	return nil
}

// requestError gives a failed request its code. ctx tells why it ended, when it did.
func requestError(ctx context.Context, subject string, err error) error {
	var coded *events.Error
	switch {
	case errors.As(err, &coded):
		return coded
	case errors.As(context.Cause(ctx), &coded):
		return coded
	case errors.Is(err, nats.ErrNoResponders):
		return nobodyAnswers(subject)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return events.Errorf(events.CodeDeadlineExceeded, "no answer on %s in time: %w", subject, err)
	case errors.Is(err, context.Canceled):
		return events.Errorf(events.CodeCanceled, "the request on %s was canceled: %w", subject, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return events.Errorf(events.CodeInvalidArgument, "the message for %s is larger than the server takes: %w", subject, err)
	case errors.Is(err, nats.ErrConnectionClosed):
		return events.Errorf(events.CodeUnavailable, "the connection to NATS is closed: %w", err)
	default:
		return events.Errorf(events.CodeUnavailable, "the request on %s failed: %w", subject, err)
	}
}

// nobodyAnswers is what the server's "no responders" means.
func nobodyAnswers(subject string) *events.Error {
	return events.Errorf(events.CodeUnavailable,
		"nobody answers on %s: is the service running, on this server and under this prefix? (`nats micro ls` lists the services)", subject)
}
