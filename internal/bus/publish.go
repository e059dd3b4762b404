package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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
	// Unseen says that a Publish of it is worth no span: what is of a trace stays a part of it.
	Unseen bool
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
	if !b.tracing || m.Unseen {
		return b.publishCounted(ctx, m, trace.SpanContext{})
	}
	ctx, span := b.publishSpan(ctx, m)
	defer span.End()
	ack, err := b.publishCounted(ctx, m, span.SpanContext())
	tellStored(span, ack, err)
	return ack, err
}

// publishUnseen is Publish for what is no message to anybody: pieces of objects, counters. It has no span, and what is stored says
// nothing of the trace that it belongs to.
func (b *Bus) publishUnseen(ctx context.Context, m Msg) (Ack, error) {
	return b.publishCounted(b.unseen(ctx), m, trace.SpanContext{})
}

// unseen returns ctx without its trace.
func (b *Bus) unseen(ctx context.Context) context.Context {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}

// publishCounted publishes and says, also in the metrics, why it failed.
func (b *Bus) publishCounted(ctx context.Context, m Msg, span trace.SpanContext) (Ack, error) {
	ack, err := b.publish(ctx, m, span)
	if err == nil {
		return ack, nil
	}
	return Ack{}, b.unpublished(m.Subject, err)
}

// publish sends one message and waits for its ack.
func (b *Bus) publish(ctx context.Context, m Msg, span trace.SpanContext) (Ack, error) {
	r, err := b.send(ctx, m, span)
	if err != nil {
		return Ack{}, err
	}
	return b.await(ctx, r)
}

// send sends one message on its way, as a part of the trace of span, or of ctx without one.
func (b *Bus) send(ctx context.Context, m Msg, span trace.SpanContext) (*receipt, error) {
	msg, err := b.unmeasured(ctx, m, span)
	if err != nil {
		return nil, err
	}
	r, err := b.outbox.send(ctx, msg)
	if errors.Is(err, nats.ErrMaxPayload) && untrace(msg.Header) {
		r, err = b.outbox.send(ctx, msg)
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		if larger := b.checkSize(msg); larger != nil {
			return nil, larger
		}
	}
	return r, err
}

// await waits for one ack and counts it.
func (b *Bus) await(ctx context.Context, r *receipt) (Ack, error) {
	subject := r.msg.Subject // before the receipt is another's
	ack, err := b.outbox.await(ctx, r)
	switch {
	case err != nil:
	case ack.Duplicate:
		b.metrics.published.on(subject).duplicate.Inc()
	default:
		b.metrics.published.on(subject).stored.Inc()
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
	spans := b.spansOfAll(ctx, msgs)
	defer spans.end()
	receipts := make([]*receipt, len(msgs))
	var errs []error
	for i, m := range msgs {
		r, err := b.send(ctx, m, spans.context(i))
		receipts[i] = r
		if err != nil {
			err = b.unpublished(m.Subject, err)
			errs = append(errs, err)
			spans.done(i, Ack{}, err)
		}
	}
	for i, r := range receipts {
		if r == nil {
			continue
		}
		ack, err := b.await(ctx, r)
		if err != nil {
			err = b.unpublished(msgs[i].Subject, err)
			errs = append(errs, err)
		}
		spans.done(i, ack, err)
	}
	if len(errs) == 0 {
		return nil
	}
	const few = 5
	return fmt.Errorf("%d of %d messages were not stored: %w", len(errs), len(msgs), errors.Join(errs[:min(few, len(errs))]...))
}

// unpublished counts a message that was not stored, and says why.
func (b *Bus) unpublished(subject string, err error) error {
	b.metrics.published.on(subject).failed.Inc()
	return publishError(subject, err)
}

// PublishEvent stores an event on its subject, under its id. An event without a trace gets that of ctx, if there is room for it.
func (b *Bus) PublishEvent(ctx context.Context, ev events.Event) (Ack, error) {
	if sc := trace.SpanContextFromContext(ctx); ev.TraceParent == "" && sc.IsValid() {
		traced := ev
		traced.TraceParent, traced.TraceState = formatTraceParent(sc), sc.TraceState().String()
		if ack, err := b.publishEvent(ctx, traced); !tooLarge(err) {
			return ack, err
		}
	}
	return b.publishEvent(ctx, ev)
}

// publishEvent stores an event as it is.
func (b *Bus) publishEvent(ctx context.Context, ev events.Event) (Ack, error) {
	subject, header, body, err := ev.Message(b.subjects)
	if err != nil {
		return Ack{}, err
	}
	return b.Publish(ctx, Msg{Subject: subject, ID: ev.ID, Header: header, Body: body})
}

// natsMsg checks the subject and the size, and adds the id and the trace context: that of span. Without one it is that of ctx, and
// a trace context that the message already has stays.
func (b *Bus) natsMsg(ctx context.Context, m Msg, span trace.SpanContext) (*nats.Msg, error) {
	msg, err := b.unmeasured(ctx, m, span)
	if err != nil {
		return nil, err
	}
	err = b.checkSize(msg)
	if err != nil && untrace(msg.Header) {
		err = b.checkSize(msg)
	}
	return msg, err
}

// checkSize refuses what is larger than the server takes.
func (b *Bus) checkSize(msg *nats.Msg) error {
	if limit := b.nc.MaxPayload(); limit > 0 && int64(msg.Size()) > limit {
		err := events.Errorf(events.CodeInvalidArgument, "the message has %d bytes; the server takes at most %d", msg.Size(), limit)
		err.Err = nats.ErrMaxPayload
		return err
	}
	return nil
}

// tooLarge reports whether a message was refused because the server, or the stream, takes no such large ones.
func tooLarge(err error) bool {
	const codeMessageTooLarge = 10054 // JSStreamMessageExceedsMaximumErr
	if err == nil {
		return false
	}
	api, said := errors.AsType[*jetstream.APIError](err)
	return said && api.ErrorCode == codeMessageTooLarge || errors.Is(err, nats.ErrMaxPayload)
}

// unmeasured does what natsMsg does, but does not check the size: the client library does that too, and says less.
func (b *Bus) unmeasured(ctx context.Context, m Msg, span trace.SpanContext) (*nats.Msg, error) {
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
	switch {
	case span.IsValid():
		inject(span, msg.Header)
	case events.HeaderValue(msg.Header, events.HeaderTraceParent) == "":
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

// publishError gives a failed publish its code.
func publishError(subject string, err error) error {
	var coded *events.Error
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		coded = events.Errorf(events.CodeFailedPrecondition, "no stream takes %s: run `mlsdmctl provision`, or check the subject: %w", subject, err)
		coded.Retryable = true // a stream whose server restarts, or that has no leader, looks the same from here
		return coded
	case tooLarge(err):
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
