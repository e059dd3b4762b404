package backup

import (
	"context"
	"io"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// Decode is decode.
func Decode(r io.Reader) error { return decode(r) }

// SaveHolding is [Save] with another longest pause.
func SaveHolding(ctx context.Context, b *bus.Bus, dir string, told Told, pause time.Duration) (*Manifest, error) {
	return saveAll(ctx, &way{bus: b, pause: pause}, dir, told)
}
