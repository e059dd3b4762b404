package bus

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Reply is the answer to a request.
type Reply struct {
	Header map[string][]string
	Body   []byte
}

// requestTimeout is the patience of a request whose ctx has no deadline.
const requestTimeout = 30 * time.Second

// Request asks on an interactive subject and waits for the answer. ctx's deadline is sent along, so that nobody works for
// a caller who has gone. Errors are an [events.Error]: the service's own, or unavailable when nobody answers there.
func (b *Bus) Request(ctx context.Context, m Msg) (Reply, error) {
	ctx, cancel := withTimeout(ctx, requestTimeout)
	defer cancel()
	if !b.tracing {
		return b.request(ctx, m, trace.SpanContext{})
	}
	ctx, span := b.requestSpan(ctx, m)
	defer span.End()
	reply, err := b.request(ctx, m, span.SpanContext())
	if err != nil {
		failed(span, err)
	}
	return reply, err
}

// requestSpan starts the span of a request.
func (b *Bus) requestSpan(ctx context.Context, m Msg) (context.Context, trace.Span) {
	ctx, links := causeOf(ctx, m.Header, nil)
	ctx, span := b.start(ctx, &b.templates.of(m.Subject).request, links...)
	describe(span, m.Header, m.ID)
	return ctx, span
}

// request does what Request says, without the span.
func (b *Bus) request(ctx context.Context, m Msg, span trace.SpanContext) (Reply, error) {
	msg, err := b.natsMsg(ctx, m, span)
	if err != nil {
		return Reply{}, err
	}
	if deadline, ok := ctx.Deadline(); ok && events.HeaderValue(m.Header, events.HeaderTimeoutMS) == "" {
		left := max(time.Until(deadline).Milliseconds(), 1)
		msg.Header[events.HeaderTimeoutMS] = []string{strconv.FormatInt(left, 10)}
	}
	answer, err := b.nc.RequestMsgWithContext(ctx, msg)
	if errors.Is(err, nats.ErrMaxPayload) && untrace(msg.Header) { // the timeout has made it too large
		answer, err = b.nc.RequestMsgWithContext(ctx, msg)
	}
	switch {
	case err == nil:
	case errors.Is(err, nats.ErrBadHeaderMsg):
		return Reply{}, events.Errorf(events.CodeInvalidArgument, "a header of the request on %s has a name that cannot be sent: %w", m.Subject, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return Reply{}, b.checkSize(msg)
	case errors.Is(err, nats.ErrNoResponders):
		return Reply{}, events.Errorf(events.CodeUnavailable, "nobody answers on %s: is the service running?", m.Subject)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return Reply{}, events.Errorf(events.CodeDeadlineExceeded, "no answer on %s in time: %w", m.Subject, err)
	case errors.Is(err, context.Canceled):
		return Reply{}, events.Errorf(events.CodeCanceled, "the request on %s was canceled: %w", m.Subject, err)
	default:
		return Reply{}, events.Errorf(events.CodeUnavailable, "the request on %s failed: %w", m.Subject, err)
	}
	if failure := events.DecodeError(answer.Header, answer.Data); failure != nil {
		return Reply{}, failure
	}
	return Reply{Header: answer.Header, Body: answer.Data}, nil
}
