package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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

// ConsumeConfig says how a durable consumer is read.
type ConsumeConfig struct {
	// Stream and Durable name the consumer; Stream as [events.Subjects.StreamName] gives it.
	Stream, Durable string
	// Workers is how many messages are handled at a time; 1 when it is less.
	Workers int
	// Prefetch is how many more messages wait here, so that quick handlers need not wait for the server. Leave it 0 for
	// handlers that take long: a waiting message is one that another replica could have taken.
	Prefetch int
	// MaxBytes bounds the bodies of all messages that are held, whatever Workers and Prefetch allow; 0 is no bound. It is taken
	// to be at least twice what the server takes in one message.
	MaxBytes int64
	// MaxAttempts is how often a message is tried before it is given up; 0 is [DefaultMaxAttempts], negative is no limit.
	// Being handed out counts: also what a crash or a shutdown cut short. A message whose handling never ends, because it
	// brings the process down each time, is given up without another try ten deliveries later.
	MaxAttempts int
	// Progress says in which attempt the work on a message last came forward, 0 for none. Attempts are counted from there, so that
	// long work that is cut short again and again, and goes on where it was, is not given up. It is asked only when a message is about
	// to be; if it fails, the message is tried again. Nil is no progress.
	Progress func(ctx context.Context, m *Message) (attempt int, err error)
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

// ErrGivenBack is what a handler returns that ends its work because this process is about to stop: somebody else has the time for it.
var ErrGivenBack = errors.New("given back")

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
// hands it out again after that time, and [ErrGivenBack] at once, whatever the number of attempts; any other error hands it out again after the backoff, until cfg.MaxAttempts.
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

	w := newWorker(b, cfg, handler)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.watchBacklog(work, consumer)
	}()
	err = b.pull(ctx, work, cancelWork, w, consumer.CachedInfo().Config.AckWait/2)
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
