package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ErrConsumerGone is wrapped by what [Bus.Consume] returns when there is no such consumer, or not any more.
var ErrConsumerGone = errors.New("the consumer is gone")

// goneBecause returns the server's word that a consumer does not exist; nil when it does, or when nobody knows.
func (b *Bus) goneBecause(ctx context.Context, cfg ConsumeConfig) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	_, err := b.js.Consumer(ctx, cfg.Stream, cfg.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	return nil
}

// judge ends the loop when the consumer was missing twice in a row, half a second apart: one that is made again at once, as
// an operator may do, is the same to us.
func (p *puller) judge(why error) error {
	p.looking = false
	if why == nil {
		p.missing = 0
		return nil
	}
	if p.missing++; p.missing < 2 {
		return nil
	}
	return events.Errorf(events.CodeFailedPrecondition, "consumer %s of stream %s: %w",
		p.worker.cfg.Durable, p.worker.cfg.Stream, fmt.Errorf("%w: %w", ErrConsumerGone, why))
}
