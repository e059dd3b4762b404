package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
)

// Bounds of what waits for who makes spans of it: more is lost, as are spans that nobody exports in time.
const (
	hopsQueue    = "natstrace"
	maxHops      = 8192
	maxHopsBytes = 8 << 20
)

// HearHops calls heard for what the server says about messages whose trace is sampled, one after the other, until ctx ends. Of all
// who do so, one hears each. It returns at once, when it has subscribed.
func (b *Bus) HearHops(ctx context.Context, heard func(body []byte)) error {
	sub, err := b.nc.QueueSubscribe(b.subjects.Hops(), hopsQueue, func(m *nats.Msg) { heard(m.Data) })
	if err != nil {
		return fmt.Errorf("subscribing %s: %w", b.subjects.Hops(), err)
	}
	if err := sub.SetPendingLimits(maxHops, maxHopsBytes); err != nil {
		return fmt.Errorf("subscribing %s: %w", b.subjects.Hops(), err)
	}
	b.flush(ctx) // without a connection, the subscription is made by the reconnect
	context.AfterFunc(ctx, func() {
		if err := sub.Unsubscribe(); err != nil {
			b.log.DebugContext(ctx, "ending a subscription failed; the connection is closed", "subject", b.subjects.Hops(), "err", err)
		}
	})
	return nil
}

// Template returns a subject with its ids taken out, such as mlsdm.events.{type}: one of a few, for the names of spans.
func (b *Bus) Template(subject string) string { return b.templates.of(subject).name }
