package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ScanConfig says what of a stream is read.
type ScanConfig struct {
	// Stream is its name, as [events.Subjects.StreamName] gives it. A work queue cannot be scanned: who reads there takes away.
	Stream string
	// Subjects are the subjects to read, with wildcards; none is all. They must not overlap.
	Subjects []string
	// FromSequence is the first sequence to read; 0 is the start of the stream.
	FromSequence uint64
	// FromTime leaves out what was stored before it. It does not count when FromSequence is given.
	FromTime time.Time
	// HeadersOnly leaves the bodies at the server, which says their sizes in the header Nats-Msg-Size.
	HeadersOnly bool
}

// consumer is how the server is asked for it, from the given sequence if that is not 0.
func (c ScanConfig) consumer(from uint64) jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{FilterSubjects: c.Subjects, HeadersOnly: c.HeadersOnly, DeliverPolicy: jetstream.DeliverAllPolicy}
	switch {
	case from > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from
	case !c.FromTime.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &c.FromTime
	}
	return cfg
}

// Scan calls visit with the messages of a stream, in its order and each once, until visit says that it wants no more, or until
// what was the last message when Scan began. It takes nothing away and leaves nothing behind. While the server cannot be
// reached it waits, until ctx ends, and goes on where it was.
//
// It returns the error of visit or of ctx, failed_precondition when there is no such stream, invalid_argument when the server
// does not take the subjects, and unavailable when the connection is closed for good.
func (b *Bus) Scan(ctx context.Context, cfg ScanConfig, visit func(*Message) (more bool, err error)) error {
	s := &scan{bus: b, cfg: cfg, visit: visit, from: cfg.FromSequence}
	began := b.clock()
	err := b.insist(ctx, "scanning "+cfg.Stream, s.read)
	b.receives(ctx, began, cfg.Stream, s.visited, err)
	return err
}

// scan is one call of [Bus.Scan].
type scan struct {
	bus   *Bus
	cfg   ScanConfig
	visit func(*Message) (bool, error)
	from  uint64 // the next sequence to read; 0 while none is known
	end   uint64 // the last sequence to read; 0 while it is not known

	visited int
}

// read reads until the end, or until the feed breaks.
func (s *scan) read(ctx context.Context) error {
	if s.end == 0 {
		end, err := s.last(ctx)
		if err != nil || end == 0 {
			return err
		}
		s.end = end
	}
	if s.from > s.end {
		return nil
	}
	f, err := s.bus.openFeed(ctx, s.cfg.Stream, s.cfg.consumer(s.from))
	if err != nil {
		return err
	}
	defer f.close(ctx)
	if f.pending == 0 {
		return nil
	}
	for {
		msg, at, err := f.next(ctx)
		switch {
		case errors.Is(err, errFeedIdle):
			if f.exhausted(ctx) { // what was left has been deleted meanwhile
				return nil
			}
			continue
		case err != nil:
			return err
		case at.sequence > s.end:
			return nil
		}
		s.visited++
		more, err := s.visit(at.message(msg))
		if err != nil || !more {
			return visitError(err)
		}
		s.from = at.sequence + 1
		if s.from > s.end || at.pending == 0 && f.exhausted(ctx) { // the count alone may be out while messages are deleted
			return nil
		}
	}
}

// visitError keeps an error of visit from being taken for one of the server.
func visitError(err error) error {
	if err == nil {
		return nil
	}
	return &foreignError{err}
}

// foreignError is an error that is not ours to judge.
type foreignError struct{ error }

// last returns the last sequence of the stream, 0 if it is empty.
func (s *scan) last(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stream, err := s.bus.js.Stream(ctx, s.cfg.Stream)
	if err != nil {
		return 0, err
	}
	info := stream.CachedInfo()
	if info.Config.Retention == jetstream.WorkQueuePolicy {
		return 0, events.Errorf(events.CodeInvalidArgument, "%s is a work queue, which cannot be scanned", s.cfg.Stream)
	}
	if info.State.Msgs == 0 {
		return 0, nil
	}
	return info.State.LastSeq, nil
}

// insist does what reads from the server until it ends otherwise than by the server or the way to it being gone for a while.
func (b *Bus) insist(ctx context.Context, what string, do func(context.Context) error) error {
	for said := false; ; {
		err := do(ctx)
		var foreign *foreignError
		var coded *events.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &foreign):
			return foreign.error
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errFeedBroken):
			b.log.DebugContext(ctx, "a feed broke; it is opened again", "doing", what)
			continue
		case errors.As(err, &coded):
			return err
		case !passing(err):
			return readError(what, err)
		}
		if !said {
			said = true
			b.log.WarnContext(ctx, "the server does not answer; asking until it does", "doing", what, "err", err)
		}
		if err := b.pauseFor(ctx, feedRetry); err != nil {
			return err
		}
	}
}

// passing reports whether an answer of the server is one that it may give while it or the cluster starts, and nothing said
// about what was asked.
func passing(err error) bool {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return api.Code >= 500
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrDisconnected),
		errors.Is(err, nats.ErrConnectionReconnecting), errors.Is(err, nats.ErrReconnectBufExceeded):
		return true
	}
	return false
}

// readError gives an error of reading its code.
func readError(what string, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return events.Errorf(events.CodeCanceled, "%s: %w", what, err)
	case passing(err), errors.Is(err, nats.ErrConnectionClosed):
		return events.Errorf(events.CodeUnavailable, "%s: %w", what, err)
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrBucketNotFound):
		return events.Errorf(events.CodeFailedPrecondition, "%s: there is no such stream: run `mlsdmctl provision`: %w", what, err)
	default:
		return events.Errorf(events.CodeInvalidArgument, "%s: %w", what, err)
	}
}
