package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// LastSequence returns the sequence of the last message of a stream, whether the stream still has it or not; 0 when there never
// was one. Errors are failed_precondition when there is no such stream, and unavailable when the server does not tell.
func (b *Bus) LastSequence(ctx context.Context, stream string) (uint64, error) {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	switch {
	case err == nil:
		return s.CachedInfo().State.LastSeq, nil
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return 0, events.Errorf(events.CodeFailedPrecondition, "there is no stream %s: run `mlsdmctl provision`: %w", stream, err)
	case ctx.Err() != nil:
		return 0, ctx.Err()
	default:
		return 0, events.Errorf(events.CodeUnavailable, "stream %s: %w", stream, err)
	}
}
