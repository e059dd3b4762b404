package bus

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
)

// worker handles the messages of one Consume call.
type worker struct {
	bus     *Bus
	cfg     ConsumeConfig
	handler func(context.Context, *Message) error

	metrics consumerMetrics
}

func newWorker(b *Bus, cfg ConsumeConfig, handler func(context.Context, *Message) error) *worker {
	return &worker{bus: b, cfg: cfg, handler: handler, metrics: b.metrics.of(cfg.Stream, cfg.Durable)}
}

// handle runs the handler on one message and settles it.
func (w *worker) handle(ctx context.Context, raw *nats.Msg) {
	at, ok := parseAck(raw.Reply)
	if !ok {
		w.bus.log.ErrorContext(ctx, "a message without JetStream metadata was ignored", "subject", raw.Subject, "reply", raw.Reply)
		return
	}
	m := at.message(raw)
	start := time.Now()
	w.metrics.begin(m, start)
	defer w.metrics.inFlight.Dec()
	if !w.bus.tracing {
		_, _ = w.process(ContextFromHeader(ctx, m.Header), raw, m, start) // settled, counted and logged there
		return
	}
	ctx, span := w.span(ctx, m)
	defer span.End()
	s, err := w.process(ctx, raw, m, start)
	s.tell(span, err)
}

// process runs the handler on one message and settles it. It returns what became of the message, and why.
func (w *worker) process(ctx context.Context, raw *nats.Msg, m *Message, start time.Time) (settlement, error) {
	var err error
	if w.worn(ctx, m) {
		err = retry.Permanent(fmt.Errorf("handed out %d times, and its handling never came to an end", m.Attempt))
	} else {
		err = safely(func() error { return w.handler(ctx, m) })
	}
	w.bus.observe(ctx, w.metrics.seconds, time.Since(start))
	return w.settle(ctx, raw, m, err), err
}

// span starts the span of handling one message: a part of the trace of what caused it, and linked to that, as the conventions
// have it for whoever keeps traces apart.
func (w *worker) span(ctx context.Context, m *Message) (context.Context, trace.Span) {
	shape := &w.bus.templates.of(m.Subject).consumed
	var span trace.Span
	if cause := remoteSpan(m.Header, m.Body); cause.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, cause)
		ctx, span = w.bus.start(ctx, shape, trace.WithLinks(trace.Link{SpanContext: cause}))
	} else {
		ctx, span = w.bus.start(ctx, shape)
	}
	if span.IsRecording() {
		describe(span, m.Header, "", append(callerOf(w.bus.subjects.Caller(m.Subject)),
			keyGroup.String(w.cfg.Durable), keyStream.String(m.Stream), keyConsumer.String(w.cfg.Durable),
			keySequence.Int64(int64(m.Sequence)), keyDelivered.Int(m.Attempt), //nolint:gosec // the server's count
			keyWait.Int64(max(time.Since(m.Time), 0).Milliseconds()),
		)...)
	}
	return ctx, span
}

// panicError is a panic of a handler as an error.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// safely runs f and turns a panic into an error: one bad message must not take the process down.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: debug.Stack()}
		}
	}()
	return f()
}
