package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
)

// Listen calls heard for every message on subject, one after the other, until ctx ends, when it returns nil. It keeps no books:
// what is sent while the connection is away is missed, and so is what a slow heard has no room for. So again, if not nil, is
// called after each reconnect; it must not block. An error means that the connection is closed for good.
func (b *Bus) Listen(ctx context.Context, subject string, heard func(Heard), again func()) error {
	if again != nil {
		defer b.afterReconnect(again)()
	}
	sub, err := b.nc.Subscribe(subject, func(m *nats.Msg) {
		heard(Heard{Subject: m.Subject, Header: m.Header, Body: m.Data})
	})
	if err != nil {
		return fmt.Errorf("subscribing %s: %w", subject, err)
	}
	b.flush(ctx) // without a connection, the subscription is made by the reconnect
	select {
	case <-b.closed:
		return b.closedError()
	case <-ctx.Done():
		if err := sub.Unsubscribe(); err != nil {
			b.log.DebugContext(ctx, "ending a subscription failed; the connection is closed", "subject", subject, "err", err)
		}
		return nil
	}
}

// Heard is a message that nobody has to answer.
type Heard struct {
	Subject string
	Header  map[string][]string
	Body    []byte
}
