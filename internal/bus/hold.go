package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// HoldConsumer has a durable consumer hand out nothing for some time, and returns when nothing of it is being worked on any more,
// which is an error when it takes longer than settles. With 0 it hands out again. That there is none is no error.
func (b *Bus) HoldConsumer(ctx context.Context, stream, name string, hold, settles time.Duration) error {
	held := func(err error) error {
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		return assetError("consumer", stream+"/"+name, err)
	}
	ask := func() (*jetstream.ConsumerInfo, error) {
		ctx, cancel := context.WithTimeout(ctx, apiTimeout)
		defer cancel()
		consumer, err := b.js.Consumer(ctx, stream, name)
		if err != nil {
			return nil, err
		}
		return consumer.CachedInfo(), nil
	}
	info, err := ask()
	if err != nil {
		return held(err)
	}
	if hold <= 0 && !info.Paused {
		return nil
	}
	change, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if hold <= 0 {
		if _, err := b.js.ResumeConsumer(change, stream, name); err != nil {
			return held(err)
		}
		return nil
	}
	if _, err := b.js.PauseConsumer(change, stream, name, time.Now().Add(hold)); err != nil {
		return held(err)
	}
	const every = 100 * time.Millisecond
	for waited := time.Duration(0); ; waited += every {
		if info, err = ask(); err != nil {
			return held(err)
		}
		if info.NumAckPending == 0 {
			return nil
		}
		if waited >= settles {
			return events.Errorf(events.CodeUnavailable, "the consumer %s still works on %d messages after %s", name, info.NumAckPending, settles)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the consumer %s: %w", name, context.Cause(ctx))
		case <-time.After(every):
		}
	}
}
