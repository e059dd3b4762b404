package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Message is a stored message in the hands of a handler.
type Message struct {
	Subject string
	Header  map[string][]string
	Body    []byte
	// Stream and Sequence say where it is stored, Time when it was.
	Stream   string
	Sequence uint64
	Time     time.Time
	// Attempt counts how often it was handed out, from 1.
	Attempt int
}

// ErrConsumerGone is wrapped by what [Bus.Consume] returns when there is no such consumer, or not any more.
var ErrConsumerGone = errors.New("the consumer is gone")

// ConsumeConfig says how a durable consumer is read.
type ConsumeConfig struct {
	// Stream and Durable name the consumer; Stream as [events.Subjects.StreamName] gives it.
	Stream, Durable string
	// Workers is how many messages are handled at a time; 1 when it is less.
	Workers int
	// Prefetch is how many more messages wait here, so that quick handlers need not wait for the server. Leave it 0 for
	// handlers that take long: a waiting message is one that another replica could have taken.
	Prefetch int
	// MaxAttempts is how often a message is tried before it is given up; 0 is [DefaultMaxAttempts], negative is no limit.
	// Being handed out counts: also what a crash or a shutdown cut short. A message whose handling never ends, because it
	// brings the process down each time, is given up without another try ten deliveries later.
	MaxAttempts int
	// Backoff is the delay between attempts; the zero value is [DefaultBackoff].
	Backoff retry.Backoff
	// DrainTimeout is how long handlers may go on after the stop; 0 is [DefaultDrainTimeout].
	DrainTimeout time.Duration
	// DeadSubject says where a message goes that is given up; nil means that it is only logged and dropped.
	DeadSubject func(*Message) string
	// GiveUp is called before a message is given up, for whoever still owes an answer; if it fails, the message is not
	// given up but tried again.
	GiveUp func(ctx context.Context, m *Message, cause error) error
}

// Defaults of [ConsumeConfig].
const (
	DefaultMaxAttempts  = 10
	DefaultDrainTimeout = 25 * time.Second
)

// DefaultBackoff returns the delay between attempts: one second, doubling up to a minute, plus up to a second.
func DefaultBackoff() retry.Backoff {
	return retry.Backoff{Base: time.Second, Cap: time.Minute, Jitter: time.Second}
}

// withDefaults fills in what was left out.
func (c ConsumeConfig) withDefaults() ConsumeConfig {
	c.Workers = max(c.Workers, 1)
	c.Prefetch = max(c.Prefetch, 0)
	if c.MaxAttempts == 0 {
		c.MaxAttempts = DefaultMaxAttempts
	}
	if c.Backoff == (retry.Backoff{}) {
		c.Backoff = DefaultBackoff()
	}
	if c.DrainTimeout <= 0 {
		c.DrainTimeout = DefaultDrainTimeout
	}
	return c
}

// Consume hands the consumer's messages to handler, cfg.Workers at a time, until ctx ends. Then it takes no more, waits
// until what is in flight is finished, gives back what was not begun, and returns nil. Work that takes longer than
// cfg.DrainTimeout is canceled and given back. It returns an error that wraps [ErrConsumerGone] when the consumer does not
// exist, or is deleted: what is in flight is then canceled. It also returns an error when the connection is closed for good,
// and when handlers go on for more than five seconds after they were canceled.
//
// What the handler returns decides about the message: nil acks it; [retry.Permanent] gives it up at once; [retry.After]
// hands it out again after that time; any other error hands it out again after the backoff, until cfg.MaxAttempts.
// A panic counts as an error.
func (b *Bus) Consume(ctx context.Context, cfg ConsumeConfig, handler func(context.Context, *Message) error) error {
	cfg = cfg.withDefaults()
	consumer, err := b.findConsumer(ctx, cfg)
	if err != nil || consumer == nil {
		return err
	}

	// The work outlives the intake by DrainTimeout.
	work, cancelWork := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelWork()
	stopTimer := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(cfg.DrainTimeout, cancelWork)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	defer stopTimer()

	w := &worker{bus: b, cfg: cfg, handler: handler, extend: consumer.CachedInfo().Config.AckWait / 2}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.watchBacklog(work, consumer)
	}()
	err = b.pull(ctx, work, cancelWork, w)
	cancelWork()
	<-watched
	return err
}

// findConsumer asks for the consumer until the server answers. It returns nil when ctx ends before that: stopped before it
// began, as was asked for.
func (b *Bus) findConsumer(ctx context.Context, cfg ConsumeConfig) (jetstream.Consumer, error) {
	for said := false; ; {
		consumer, err := b.js.Consumer(ctx, cfg.Stream, cfg.Durable)
		switch {
		case err == nil:
			return consumer, nil
		case ctx.Err() != nil:
			return nil, nil //nolint:nilnil,nilerr // documented
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			return nil, events.Errorf(events.CodeFailedPrecondition, "there is no consumer %s on stream %s: run `mlsdmctl provision`: %w",
				cfg.Durable, cfg.Stream, fmt.Errorf("%w: %w", ErrConsumerGone, err))
		case b.nc.IsClosed():
			return nil, events.Errorf(events.CodeUnavailable, "consumer %s of stream %s: %w", cfg.Durable, cfg.Stream, err)
		}
		if !said { // the server restarts, or JetStream has no leader yet
			said = true
			b.log.WarnContext(ctx, "the server does not answer for a consumer; asking until it does", "stream", cfg.Stream, "consumer", cfg.Durable, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-b.closed:
		case <-time.After(pullRetry):
		}
	}
}

// worker handles the messages of one Consume call.
type worker struct {
	bus     *Bus
	cfg     ConsumeConfig
	handler func(context.Context, *Message) error
	extend  time.Duration // how often the server is told that the work goes on
}

// handle runs the handler on one message and settles it; stop ends the signs of life that began when it was received.
func (w *worker) handle(ctx context.Context, raw *nats.Msg, stop func()) {
	defer stop()
	m, err := newMessage(raw)
	if err != nil {
		w.bus.log.ErrorContext(ctx, "a message without JetStream metadata was ignored", "subject", raw.Subject, "err", err)
		return
	}
	labels := []string{w.cfg.Stream, w.cfg.Durable}
	inFlight := w.bus.metrics.inFlight.WithLabelValues(labels...)
	inFlight.Inc()
	defer inFlight.Dec()

	ctx = ContextFromHeader(ctx, m.Header)
	destination := w.bus.template(m.Subject)
	ctx, span := w.bus.tracer.Start(ctx, "process "+destination, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.template", destination),
		attribute.String("messaging.consumer.group.name", w.cfg.Durable),
		attribute.Int("messaging.nats.attempt", m.Attempt),
	))
	defer span.End()

	start := time.Now()
	if w.worn(m) {
		err = retry.Permanent(fmt.Errorf("handed out %d times, and its handling never came to an end", m.Attempt))
	} else {
		err = safely(func() error { return w.handler(ctx, m) })
	}
	w.bus.metrics.consumeS.WithLabelValues(labels...).Observe(time.Since(start).Seconds())
	if err != nil {
		span.SetStatus(codes.Error, string(events.CodeOf(err)))
	}
	w.settle(ctx, raw, m, err)
}

// keepAlive tells the server at intervals that a message is being worked on, until stop is called.
func keepAlive(raw *nats.Msg, every time.Duration) (stop func()) {
	if every <= 0 {
		return func() {}
	}
	var mu sync.Mutex
	stopped := false
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(every, func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		// A failure means that the connection is down. The server may then hand the message out again, which is allowed; but
		// the connection may as well be back before that.
		if err := raw.InProgress(); !errors.Is(err, nats.ErrConnectionClosed) {
			timer.Reset(every)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
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
