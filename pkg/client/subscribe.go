package client

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// SubscribeOption changes where a subscription begins and what it reports. It is a [HandleOption] too.
type SubscribeOption func(*subscribeSettings)

type subscribeSettings struct {
	from  start // nil is what is new
	onBad func(error)
}

// Since begins with the first event that was stored at most d ago.
func Since(d time.Duration) SubscribeOption {
	return func(s *subscribeSettings) { s.from = fromTime(time.Now().Add(-d)) }
}

// StartSequence begins with the event at a place in the stream, or the next one that there is. To go on where an earlier
// subscription ended, give its [Subscription.Sequence] plus one.
func StartSequence(sequence uint64) SubscribeOption {
	return func(s *subscribeSettings) { s.from = fromSequence(sequence) }
}

// OnBadEvent reports messages of the stream that are no valid events, each as a [*BadEventError]; they are skipped, with or
// without it. report is called between the handler's calls and never beside one, unless handlers run beside each other:
// see [Concurrency].
func OnBadEvent(report func(error)) SubscribeOption {
	return func(s *subscribeSettings) { s.onBad = report }
}

// BadEventError is a message in the events stream that cannot be read as an event, or not as the payload of its type.
type BadEventError struct {
	// Subject is where it was published; Sequence is its place in the stream.
	Subject  string
	Sequence uint64
	// Err says what is wrong.
	Err error
}

// Error implements error.
func (e *BadEventError) Error() string { return "bad event on " + e.Subject + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *BadEventError) Unwrap() error { return e.Err }

// Subscription follows events. It ends with its context, with [Subscription.Stop], or with an error of its handler.
type Subscription struct {
	cancel   context.CancelFunc
	done     chan struct{}
	err      error // valid once done is closed
	sequence atomic.Uint64
}

// Done is closed when the subscription has ended and its handler has returned.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err waits for the end of the subscription and returns why it ended: the error of the handler, that the connection is
// closed for good, or nil when it was stopped or its context ended.
func (s *Subscription) Err() error {
	<-s.done
	return s.err
}

// Stop ends the subscription and waits for its handler to return. It must not be called by the handler, which returns an
// error instead.
func (s *Subscription) Stop() {
	s.cancel()
	<-s.done
}

// Sequence is the place in the stream of the last event that was handled without an error; 0 before the first.
func (s *Subscription) Sequence() uint64 { return s.sequence.Load() }

// Subscribe calls handler with every event whose type matches one of the patterns, in the order of the stream and one at
// a time; no pattern is every event. A pattern is a type whose parts may be *, and the last one >, like "ci.*".
//
// It begins with what is stored from now on, unless an option says otherwise, and returns as soon as no further event can
// be missed. A connection that breaks delays events and loses none. The
// handler sees an event once in the life of a subscription; what is to survive the process goes on from
// [Subscription.Sequence]. An error of the handler ends the subscription.
func (c *Client) Subscribe(
	ctx context.Context, patterns []string, handler func(context.Context, events.Event) error, options ...SubscribeOption,
) (*Subscription, error) {
	var set subscribeSettings
	for _, option := range options {
		option(&set)
	}
	if len(patterns) == 0 {
		patterns = []string{">"}
	}
	patterns = slices.Clone(patterns)
	for _, pattern := range patterns {
		if err := checkPattern(pattern); err != nil {
			return nil, err
		}
	}
	r := &reader{client: c, stream: c.subjects.StreamName(events.StreamEvents), from: set.from}
	for _, filter := range filtersOf(patterns) {
		r.filters = append(r.filters, c.subjects.Event(filter))
	}
	if r.from == nil {
		end, err := c.endOf(ctx, r.stream)
		if err != nil {
			return nil, err
		}
		r.from = fromSequence(end + 1) // and not "new", which after a reconnect would mean another moment
	}
	consumer, err := r.consumer(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Subscription{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		defer cancel()
		err := r.readFrom(ctx, consumer, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			return c.deliver(ctx, s, patterns, handler, set.onBad, msg, meta)
		})
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			s.err = err
		}
	}()
	return s, nil
}

// deliver hands one message to the handler, when it is an event that was asked for.
func (c *Client) deliver(
	ctx context.Context, s *Subscription, patterns []string, handler func(context.Context, events.Event) error, onBad func(error),
	msg jetstream.Msg, meta *jetstream.MsgMetadata,
) error {
	eventType, _ := c.subjects.EventType(msg.Subject())
	if !slices.ContainsFunc(patterns, func(p string) bool { return covers(p, eventType) }) {
		return nil // the server's filters may be wider
	}
	ev, err := events.FromMessage(c.subjects, msg.Subject(), msg.Headers(), msg.Data(), events.Stored{
		Stream: meta.Stream, Sequence: meta.Sequence.Stream, Time: meta.Timestamp,
	})
	bad := err
	if err == nil {
		err = handler(ctx, ev)
		var payload *payloadError
		if err != nil && !errors.As(err, &payload) {
			return err
		}
		if err != nil {
			bad = payload.err
		}
	}
	if bad != nil && onBad != nil {
		onBad(&BadEventError{Subject: msg.Subject(), Sequence: meta.Sequence.Stream, Err: bad})
	}
	s.sequence.Store(meta.Sequence.Stream)
	return nil
}

// endOf returns the place of the last message of a stream.
func (c *Client) endOf(ctx context.Context, stream string) (uint64, error) {
	apiCtx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	found, err := c.js.Stream(apiCtx, stream)
	if err != nil {
		return 0, readError(ctx, stream, err)
	}
	return found.CachedInfo().State.LastSeq, nil
}
