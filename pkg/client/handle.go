package client

import (
	"context"
	"log/slog"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds and defaults of [Client.Handle].
const (
	// MaxConcurrency bounds [Concurrency].
	MaxConcurrency = 1024
	// DefaultTakeOver is the time of [TakeOver]; MinTakeOver its least.
	DefaultTakeOver = 30 * time.Second
	MinTakeOver     = time.Second
	// DefaultDrain is the time of [Drain].
	DefaultDrain = 25 * time.Second
)

// HandleOption changes how [Client.Handle] works. Every [SubscribeOption] is one: where a subscription begins, durable
// handlers begin that have never run under their name.
type HandleOption interface{ applyHandle(*handleSettings) }

type handleOption func(*handleSettings)

func (o handleOption) applyHandle(s *handleSettings) { o(s) }

func (o SubscribeOption) applyHandle(s *handleSettings) { o(&s.subscribeSettings) }

type handleSettings struct {
	subscribeSettings

	retry       schedule
	concurrency int
	takeOver    time.Duration
	drain       time.Duration
	giveUp      func(context.Context, events.Event, error) error
	log         *slog.Logger
}

// Concurrency is how many events this process handles at a time, 1 to [MaxConcurrency]; 1 without it. Only with 1, in one
// process, are they handled in the order of the stream, and even then what is retried comes later than what follows it.
func Concurrency(n int) HandleOption {
	return handleOption(func(s *handleSettings) { s.concurrency = n })
}

// TakeOver is how long after a crash of the process its unfinished events go to another, or to itself when it is back:
// [MinTakeOver] to an hour, [DefaultTakeOver] without it. Handlers may take longer than that.
func TakeOver(d time.Duration) HandleOption {
	return handleOption(func(s *handleSettings) { s.takeOver = d })
}

// Drain is how long handlers may go on after the stop before their context is canceled; [DefaultDrain] without it.
func Drain(d time.Duration) HandleOption {
	return handleOption(func(s *handleSettings) { s.drain = d })
}

// OnGiveUp is called with an event that is given up: a handler returned [Permanent], or failed at the last attempt. It is
// the place to store a dead letter. When it fails, the event is not given up but tried again. Without it the logger and the
// server's advisory say what was given up; the event stays in the events stream for as long as that keeps it.
func OnGiveUp(giveUp func(ctx context.Context, ev events.Event, cause error) error) HandleOption {
	return handleOption(func(s *handleSettings) { s.giveUp = giveUp })
}

// Logger gets a warning for each attempt that failed and an error for each event that was given up; without it
// [slog.Default] does.
func Logger(log *slog.Logger) HandleOption {
	return handleOption(func(s *handleSettings) { s.log = log })
}

// Handling is the durable work of [Client.Handle]. It ends with its context, with [Handling.Stop], or when it cannot go on.
type Handling struct {
	client   *Client
	consumer string
	stream   string
	mux      *Mux
	patterns []string
	filters  []string
	set      handleSettings
	cancel   context.CancelFunc
	done     chan struct{}
	err      error // valid once done is closed
}

// Handle calls the handlers of mux for every event that they ask for, durably: the server keeps under name what has been
// handled, so that a process that was restarted goes on where it was, and several processes with one name share the work.
// The name is 1 to 64 of A-Z a-z 0-9 _ -; the consumer on the server is called "handler-" and the name. What the handlers
// ask for is kept there too: of several processes, the one that began last decides. [Client.ForgetHandler] removes it.
//
// The first time, it begins with what is stored from now on, unless [Since] or [StartSequence] say otherwise.
//
// An event is handled at least once: nil from all of its handlers ends it, and it comes again, to all of them, after an
// error, a panic or a crash. After an error it waits as [RetryFast] says, or another of these options, or longer where the
// error says so ([events.Error.RetryAfter]); being handed out counts as an attempt, even when a crash cut it short. In the
// end it is given up: see [OnGiveUp] and [Permanent]. Up to 20,000 events may wait for their retries; beyond that nothing
// new is handed out. In a cluster, another server that takes over may cut waits short. What cannot be read as an event never
// will be: it is reported to [OnBadEvent] and passed over.
//
// On a closed bus the user needs $JS.API.CONSUMER.INFO, CREATE (and what is below it), MSG.NEXT of the consumer, and
// $JS.ACK.<stream>.<consumer>.>; without CREATE it can use what an operator has made.
//
// It returns when no further event can be missed. A connection that breaks delays events and loses none.
func (c *Client) Handle(ctx context.Context, name string, mux *Mux, options ...HandleOption) (*Handling, error) {
	set := handleSettings{retry: fastSchedule(), concurrency: 1, takeOver: DefaultTakeOver, drain: DefaultDrain}
	for _, option := range options {
		option.applyHandle(&set)
	}
	if set.log == nil {
		set.log = slog.Default()
	}
	patterns := mux.Patterns()
	consumer, err := handlerConsumer(name)
	if err != nil {
		return nil, err
	}
	if err := set.check(patterns); err != nil {
		return nil, err
	}
	set.log = set.log.With("handler", name)
	h := &Handling{
		client: c, consumer: consumer, stream: c.subjects.StreamName(events.StreamEvents), mux: mux, patterns: patterns,
		filters: filtersOf(patterns), set: set, done: make(chan struct{}),
	}
	if err := h.ensure(ctx); err != nil {
		return nil, err
	}
	p, err := newPuller(c.nc, h.stream, consumer, set.concurrency)
	if err != nil {
		return nil, requestError(ctx, h.stream, err)
	}
	ctx, h.cancel = context.WithCancel(ctx)
	go func() {
		defer close(h.done)
		defer h.cancel()
		h.err = h.run(ctx, p)
	}()
	return h, nil
}

// check checks the bounds.
func (s handleSettings) check(patterns []string) error {
	if len(patterns) == 0 {
		return events.Errorf(events.CodeInvalidArgument, "there is no handler: register one with client.On or Mux.OnEvent first")
	}
	for _, pattern := range patterns {
		if err := checkPattern(pattern); err != nil {
			return err
		}
	}
	switch {
	case s.concurrency < 1 || s.concurrency > MaxConcurrency:
		return events.Errorf(events.CodeInvalidArgument, "the concurrency is %d; it must be 1 to %d", s.concurrency, MaxConcurrency)
	case s.takeOver < MinTakeOver || s.takeOver > time.Hour:
		return events.Errorf(events.CodeInvalidArgument, "the time of TakeOver is %s; it must be %s to 1h", s.takeOver, MinTakeOver)
	case s.drain < 0:
		return events.Errorf(events.CodeInvalidArgument, "the time of Drain is %s; it must not be negative", s.drain)
	default:
		return s.retry.check()
	}
}

// Done is closed when the work has ended and the handlers have returned.
func (h *Handling) Done() <-chan struct{} { return h.done }

// Err waits for the end of the work and returns why it ended: nil when it was stopped or its context ended and all
// handlers returned.
func (h *Handling) Err() error {
	<-h.done
	return h.err
}

// Stop ends the work: nothing new is begun, what is being handled is finished within the time of [Drain], and what was
// not goes to another process at once. It must not be called by a handler.
func (h *Handling) Stop() {
	h.cancel()
	<-h.done
}
