package hooks

import (
	"context"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// failure is why webhooks are not stored.
type failure struct{ err error }

// store publishes what a delivery tells. It goes on when whoever has sent it has gone: what was taken in counts.
func (d *Door) store(ctx context.Context, source *Source, delivery string, sightings []forge.Sighting) outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.bounds.PublishTime)
	defer cancel()
	defer context.AfterFunc(d.hard, cancel)()
	select {
	case d.work <- struct{}{}:
		defer func() { <-d.work }()
	case <-ctx.Done():
		return busy
	}
	now := time.Now().UTC()
	for i, s := range sightings {
		s.Forge, s.At = source.Forge, now
		if err := d.cfg.Publish(ctx, source.Forge+"/"+delivery+"/"+strconv.Itoa(i), s); err != nil {
			if d.failing.Swap(&failure{err}) == nil {
				d.log.WarnContext(ctx, "webhooks cannot be stored; forges are told to come again, and are polled", "forge", source.Forge, "err", err)
			}
			return unstored
		}
	}
	if d.failing.Load() != nil && d.failing.Swap(nil) != nil {
		d.log.InfoContext(ctx, "webhooks are stored again")
	}
	return accepted
}

// Check is a [health.Check]: it says that the last webhook could not be stored. Forges are polled all the same.
func (d *Door) Check(context.Context) error {
	if f := d.failing.Load(); f != nil {
		return health.Degraded("the last webhook could not be stored: %w", f.err)
	}
	return nil
}
