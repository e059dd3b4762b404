package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// reader reads a stream in order, each message once, over consumers that it makes and forgets: a connection that breaks,
// a server that restarts and a message that is missing all end one consumer, and the next begins behind the last message
// that was handled. It stands in for the NATS client's ordered consumer, which cannot be stopped while it reconnects and
// which skips what came in between when it had not seen a message yet.
type reader struct {
	client  *Client
	stream  string
	filters []string
	from    start
	next    uint64 // the sequence to go on from; 0 before the first message
}

// start says where a reader begins.
type start func(cfg *jetstream.ConsumerConfig)

func fromBeginning(cfg *jetstream.ConsumerConfig) { cfg.DeliverPolicy = jetstream.DeliverAllPolicy }

func fromLast(cfg *jetstream.ConsumerConfig) { cfg.DeliverPolicy = jetstream.DeliverLastPolicy }

func fromTime(t time.Time) start {
	return func(cfg *jetstream.ConsumerConfig) {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &t
	}
}

func fromSequence(sequence uint64) start {
	return func(cfg *jetstream.ConsumerConfig) {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, max(sequence, 1)
	}
}

// errEnough is returned by a handler of [reader.read] that wants no more.
var errEnough = errors.New("enough")

// errBroken marks the end of one consumer, not of the reading.
var errBroken = errors.New("the consumer broke")

// Timings of the reading. An idle reader costs the server one pull in [pullExpiry]; a consumer that vanished is noticed
// after two missed heartbeats.
const (
	apiTimeout        = 5 * time.Second
	pullExpiry        = 5 * time.Second
	pullHeartbeat     = time.Second
	pullMessages      = 128
	inactiveThreshold = 30 * time.Second
	rereadWait        = 100 * time.Millisecond
	rereadWaitMax     = 5 * time.Second
)

// read hands every message to handle until handle returns an error, which it returns (nil for errEnough), or ctx ends.
// The first consumer must come to be; later ones are tried for as long as ctx lets them.
func (r *reader) read(ctx context.Context, handle func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	consumer, err := r.consumer(ctx)
	if err != nil {
		return err
	}
	return r.readFrom(ctx, consumer, handle)
}

// readFrom is read with the first consumer already made.
func (r *reader) readFrom(ctx context.Context, consumer jetstream.Consumer, handle func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	wait := rereadWait
	for {
		if consumer != nil {
			seen := r.next
			err := r.drain(ctx, consumer, handle)
			if !errors.Is(err, errBroken) {
				return err
			}
			if r.next != seen {
				wait = rereadWait
			}
		}
		select {
		case <-ctx.Done():
			return readError(ctx, r.stream, ctx.Err())
		case <-time.After(wait):
		}
		wait = min(2*wait, rereadWaitMax)
		var err error
		if consumer, err = r.consumer(ctx); err != nil {
			consumer = nil
			if r.client.nc.IsClosed() {
				return err
			}
		}
	}
}

// drain reads one consumer until something ends it.
func (r *reader) drain(ctx context.Context, consumer jetstream.Consumer, handle func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	connected, stop := r.client.whileConnected(ctx)
	defer stop()
	defer r.forget(ctx, consumer)
	msgs, err := consumer.Messages(jetstream.PullMaxMessages(pullMessages), jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullHeartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	defer msgs.Stop()
	for expected := uint64(1); ; expected++ {
		msg, err := msgs.Next(jetstream.NextContext(connected))
		if ctx.Err() != nil {
			return readError(ctx, r.stream, ctx.Err())
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		meta, err := msg.Metadata()
		if err != nil || meta.Sequence.Consumer != expected { // a message was lost on its way
			return errBroken
		}
		switch err := handle(msg, meta); {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return err
		}
		r.next = meta.Sequence.Stream + 1
	}
}

// consumer makes a consumer that begins where the reading stands.
func (r *reader) consumer(ctx context.Context) (jetstream.Consumer, error) {
	cfg := jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: inactiveThreshold,
	}
	if len(r.filters) == 1 {
		cfg.FilterSubject = r.filters[0] // in the API's own subject then, where permissions see it
	} else {
		cfg.FilterSubjects = r.filters
	}
	begin := r.from
	if r.next > 0 {
		begin = fromSequence(r.next)
	}
	begin(&cfg)
	apiCtx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	consumer, err := r.client.js.CreateConsumer(apiCtx, r.stream, cfg)
	if err != nil {
		return nil, readError(ctx, r.stream, err)
	}
	return consumer, nil
}

// forget removes a consumer, so that it does not wait for its inactivity to end. Nobody waits for the answer.
func (r *reader) forget(ctx context.Context, consumer jetstream.Consumer) {
	js, stream, name := r.client.js, r.stream, consumer.CachedInfo().Name
	ctx = context.WithoutCancel(ctx)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, apiTimeout)
		defer cancel()
		_ = js.DeleteConsumer(ctx, stream, name) // it ends by itself otherwise
	}()
}

// readError gives a failure to read a stream its code.
func readError(ctx context.Context, stream string, err error) error {
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return events.Errorf(events.CodeFailedPrecondition, "there is no stream %s: run `mlsdmctl provision`: %w", stream, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return events.Errorf(events.CodeFailedPrecondition, "JetStream is not enabled on this NATS server: %w", err)
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return events.Errorf(events.CodeUnavailable, "JetStream does not answer about %s; is the user permitted to ask? %w", stream, err)
	case errors.Is(err, context.DeadlineExceeded):
		return events.Errorf(events.CodeDeadlineExceeded, "the deadline passed while reading %s: %w", stream, err)
	case errors.Is(err, context.Canceled):
		return events.Errorf(events.CodeCanceled, "reading %s was canceled: %w", stream, err)
	default:
		return events.Errorf(events.CodeUnavailable, "reading %s failed: %w", stream, err)
	}
}
