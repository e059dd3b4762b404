package sender_test

import (
	"context"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// TestHostileReceivers: of an answer no more than its start is looked at, as it is on the wire.
func TestHostileReceivers(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: 64 << 10, Start: true, Ask: func(ctx context.Context, url string) error {
		return sender.Send(ctx, request(t, url)).Err
	}}.Run(t)
}
