package bus

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// worker handles the messages of one Consume call.
type worker struct {
	bus     *Bus
	cfg     ConsumeConfig
	handler func(context.Context, *Message) error

	// Looked up once, not for every message.
	inFlight prometheus.Gauge
	seconds  prometheus.Observer
	acked    prometheus.Counter
}

func newWorker(b *Bus, cfg ConsumeConfig, handler func(context.Context, *Message) error) *worker {
	return &worker{
		bus: b, cfg: cfg, handler: handler,
		inFlight: b.metrics.inFlight.WithLabelValues(cfg.Stream, cfg.Durable),
		seconds:  b.metrics.consumeS.WithLabelValues(cfg.Stream, cfg.Durable),
		acked:    b.metrics.consumed.WithLabelValues(cfg.Stream, cfg.Durable, resultAck),
	}
}

// handle runs the handler on one message and settles it.
func (w *worker) handle(ctx context.Context, raw *nats.Msg) {
	at, ok := parseAck(raw.Reply)
	if !ok {
		w.bus.log.ErrorContext(ctx, "a message without JetStream metadata was ignored", "subject", raw.Subject, "reply", raw.Reply)
		return
	}
	m := at.message(raw)
	w.inFlight.Inc()
	defer w.inFlight.Dec()
	ctx = ContextFromHeader(ctx, m.Header)
	if w.bus.tracing {
		var span trace.Span
		ctx, span = w.span(ctx, m)
		defer span.End()
	}

	var err error
	start := time.Now()
	if w.worn(ctx, m) {
		err = retry.Permanent(fmt.Errorf("handed out %d times, and its handling never came to an end", m.Attempt))
	} else {
		err = safely(func() error { return w.handler(ctx, m) })
	}
	w.seconds.Observe(time.Since(start).Seconds())
	if err != nil && w.bus.tracing {
		trace.SpanFromContext(ctx).SetStatus(codes.Error, string(events.CodeOf(err)))
	}
	w.settle(ctx, raw, m, err)
}

// span starts the span of handling one message.
func (w *worker) span(ctx context.Context, m *Message) (context.Context, trace.Span) {
	destination := w.bus.template(m.Subject)
	return w.bus.tracer.Start(ctx, "process "+destination, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.template", destination),
		attribute.String("messaging.consumer.group.name", w.cfg.Durable),
		attribute.Int("messaging.nats.attempt", m.Attempt),
	))
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

// watchBacklog publishes the consumer's backlog as metrics, so that a stalled consumer can be seen.
func (w *worker) watchBacklog(ctx context.Context, consumer jetstream.Consumer) {
	const every = 15 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		infoCtx, cancel := context.WithTimeout(ctx, apiTimeout)
		info, err := consumer.Info(infoCtx)
		cancel()
		if err != nil { // the gauges keep their last value; the pull loop reports what is wrong
			w.bus.log.DebugContext(ctx, "the consumer's state is not known", "consumer", w.cfg.Durable, "err", err)
			continue
		}
		w.bus.metrics.pending.WithLabelValues(w.cfg.Stream, w.cfg.Durable).Set(float64(info.NumPending))
		w.bus.metrics.waiting.WithLabelValues(w.cfg.Stream, w.cfg.Durable).Set(float64(info.NumWaiting))
	}
}
