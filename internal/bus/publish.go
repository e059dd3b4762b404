package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Msg is a message to send.
type Msg struct {
	// Subject is where it goes.
	Subject string
	// ID is the Nats-Msg-Id; empty means none, but for one that Header has. Give every message one that is made from what caused it, so that doing the
	// work twice publishes it once.
	ID string
	// Header is sent along; it is not changed, unless GiveHeader says that it is the bus's from now on, which saves a copy.
	Header     map[string][]string
	GiveHeader bool
	// Body is the payload.
	Body []byte
}

// Ack is JetStream's word that a message is stored.
type Ack struct {
	Stream    string
	Sequence  uint64
	Duplicate bool

	value string // of the counter that it added to; empty without one
}

// Publish stores one message and waits for JetStream's ack, for at most ten seconds. A message with an ID outlives a reconnect:
// it is sent again.
//
// Errors are an [events.Error]: failed_precondition when no stream takes the subject, invalid_argument when the message is
// larger than the server takes, unavailable otherwise; it may then be published again with the same ID.
func (b *Bus) Publish(ctx context.Context, m Msg) (Ack, error) {
	if b.tracing {
		var span trace.Span
		ctx, span = b.publishSpan(ctx, m)
		defer span.End()
	}
	ack, err := b.publish(ctx, m)
	if err == nil {
		return ack, nil
	}
	b.metrics.failed.Inc()
	err = publishError(m.Subject, err)
	if b.tracing {
		trace.SpanFromContext(ctx).SetStatus(codes.Error, string(events.CodeOf(err)))
	}
	return Ack{}, err
}

// publish sends one message and waits for its ack.
func (b *Bus) publish(ctx context.Context, m Msg) (Ack, error) {
	r, err := b.send(ctx, m)
	if err != nil {
		return Ack{}, err
	}
	return b.await(ctx, r)
}

// send sends one message on its way.
func (b *Bus) send(ctx context.Context, m Msg) (*receipt, error) {
	msg, err := b.unmeasured(ctx, m)
	if err != nil {
		return nil, err
	}
	r, err := b.outbox.send(ctx, msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		if larger := b.checkSize(msg); larger != nil {
			return nil, larger
		}
	}
	return r, err
}

// await waits for one ack and counts it.
func (b *Bus) await(ctx context.Context, r *receipt) (Ack, error) {
	ack, err := b.outbox.await(ctx, r)
	switch {
	case err != nil:
	case ack.Duplicate:
		b.metrics.duplicate.Inc()
	default:
		b.metrics.stored.Inc()
	}
	return ack, err
}

// PublishAll stores several messages, all on their way at once and in their order, and waits for every ack. The error says
// how many were not stored and joins their errors, the first few; the others are. A message that fails does not hold up those
// behind it.
func (b *Bus) PublishAll(ctx context.Context, msgs []Msg) error {
	if len(msgs) == 1 {
		_, err := b.Publish(ctx, msgs[0])
		return err
	}
	receipts := make([]*receipt, len(msgs))
	var errs []error
	for i, m := range msgs {
		r, err := b.send(ctx, m)
		receipts[i] = r
		if err != nil {
			errs = append(errs, publishError(m.Subject, err))
		}
	}
	for i, r := range receipts {
		if r == nil {
			continue
		}
		if _, err := b.await(ctx, r); err != nil {
			errs = append(errs, publishError(msgs[i].Subject, err))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	b.metrics.failed.Add(float64(len(errs)))
	const few = 5
	return fmt.Errorf("%d of %d messages were not stored: %w", len(errs), len(msgs), errors.Join(errs[:min(few, len(errs))]...))
}

// PublishEvent stores an event on its subject, under its id. An event without a trace gets that of ctx.
func (b *Bus) PublishEvent(ctx context.Context, ev events.Event) (Ack, error) {
	if ev.TraceParent == "" {
		c := carrier{}
		InjectTrace(ctx, c)
		ev.TraceParent, ev.TraceState = c.Get(events.HeaderTraceParent), c.Get(events.HeaderTraceState)
	}
	subject, header, body, err := ev.Message(b.subjects)
	if err != nil {
		return Ack{}, err
	}
	return b.Publish(ctx, Msg{Subject: subject, ID: ev.ID, Header: header, Body: body})
}

// natsMsg checks the subject and the size, and adds the id and the trace context. A trace context that the message already
// has stays.
func (b *Bus) natsMsg(ctx context.Context, m Msg) (*nats.Msg, error) {
	msg, err := b.unmeasured(ctx, m)
	if err != nil {
		return nil, err
	}
	return msg, b.checkSize(msg)
}

// checkSize refuses what is larger than the server takes.
func (b *Bus) checkSize(msg *nats.Msg) error {
	if limit := b.nc.MaxPayload(); limit > 0 && int64(msg.Size()) > limit {
		return events.Errorf(events.CodeInvalidArgument, "the message has %d bytes; the server takes at most %d", msg.Size(), limit)
	}
	return nil
}

// unmeasured does what natsMsg does, but does not check the size: the client library does that too, and says less.
func (b *Bus) unmeasured(ctx context.Context, m Msg) (*nats.Msg, error) {
	if err := checkSubject(m.Subject); err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Body}
	if !m.GiveHeader || m.Header == nil {
		msg.Header = make(nats.Header, len(m.Header)+2)
		maps.Copy(msg.Header, m.Header)
	}
	if m.ID != "" {
		msg.Header[events.HeaderMsgID] = []string{m.ID}
	}
	if trace.SpanContextFromContext(ctx).IsValid() && carrier(msg.Header).Get(events.HeaderTraceParent) == "" {
		InjectTrace(ctx, msg.Header)
	}
	return msg, nil
}

// checkSubject refuses what is no subject to publish on. Tokens that come from users may hold anything.
func checkSubject(subject string) error {
	start := 0 // of the token
	for i := range len(subject) + 1 {
		if i < len(subject) && subject[i] != '.' {
			if subject[i] <= ' ' || subject[i] == 0x7f {
				return subjectError(subject)
			}
			continue
		}
		if token := subject[start:i]; token == "" || token == "*" || token == ">" {
			return subjectError(subject)
		}
		start = i + 1
	}
	return nil
}

func subjectError(subject string) error {
	return events.Errorf(events.CodeInvalidArgument, "%q is no subject to send to: it is made of tokens without spaces, joined by dots, none of them * or >", subject)
}

// sendable reports whether a name can be that of a header. What others sent may hold names that can only be read.
func sendable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' })
}

// publishSpan starts the span of one publish.
func (b *Bus) publishSpan(ctx context.Context, m Msg) (context.Context, trace.Span) {
	ctx = ContextFromHeaderIfNone(ctx, m.Header)
	destination := b.template(m.Subject)
	return b.tracer.Start(ctx, "publish "+destination, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.name", "publish"),
		attribute.String("messaging.operation.type", "send"), attribute.String("messaging.destination.template", destination),
		attribute.String("messaging.message.id", cmp.Or(m.ID, events.HeaderValue(m.Header, events.HeaderMsgID))),
	))
}

// ContextFromHeaderIfNone is [ContextFromHeader] for a ctx that has no trace of its own.
func ContextFromHeaderIfNone(ctx context.Context, header map[string][]string) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return ContextFromHeader(ctx, header)
}

// publishError gives a failed publish its code.
func publishError(subject string, err error) error {
	const codeMessageTooLarge = 10054 // JSStreamMessageExceedsMaximumErr
	var coded *events.Error
	var api *jetstream.APIError
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		coded = events.Errorf(events.CodeFailedPrecondition, "no stream takes %s: run `mlsdmctl provision`, or check the subject: %w", subject, err)
		coded.Retryable = true // a stream whose server restarts, or that has no leader, looks the same from here
		return coded
	case errors.Is(err, nats.ErrMaxPayload), errors.As(err, &api) && api.ErrorCode == codeMessageTooLarge:
		return events.Errorf(events.CodeInvalidArgument, "the message for %s is larger than the server takes: %w", subject, err)
	case errors.Is(err, nats.ErrBadHeaderMsg):
		return events.Errorf(events.CodeInvalidArgument, "a header of the message for %s has a name that cannot be sent: %w", subject, err)
	case errors.Is(err, context.Canceled):
		return events.Errorf(events.CodeCanceled, "publishing to %s was canceled: %w", subject, err)
	default:
		return events.Errorf(events.CodeUnavailable, "publishing to %s failed: %w", subject, err)
	}
}

// withTimeout bounds ctx unless it has a deadline.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}
