package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Progress is how far the copies have come: of Total streams, those of buckets and object stores included, Done are on as many servers
// as they should be, with all that is stored in them.
type Progress struct{ Done, Total int }

// settleEvery is how often [Settle] asks.
const settleEvery = 500 * time.Millisecond

// Settle waits until every stream of the catalogue, with its consumers, is on as many servers as it is configured for, and says so
// whenever that changes. Work goes on meanwhile. When ctx ends first, the error names what is not done; the servers go on with it.
func Settle(ctx context.Context, b *bus.Bus, tell func(Progress)) error {
	open := streamNames(b.Subjects())
	total := len(open)
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for last := -1; ; {
		// Each has to be complete once: where much is stored, a copy is a moment behind now and again. An error is of the moment too: a
		// stream that is handed over has no leader for a while.
		open = slices.DeleteFunc(open, func(name string) bool {
			c, err := b.Copies(ctx, name)
			return err == nil && c.Done()
		})
		if len(open) != last {
			last = len(open)
			if tell != nil {
				tell(Progress{Done: total - last, Total: total})
			}
		}
		if len(open) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the copies of %s are not complete; the servers go on with them, which a longer --timeout waits for: %w",
				strings.Join(open, ", "), ctx.Err())
		}
	}
}

// streamNames are the real names of all streams, those of buckets and object stores included.
func streamNames(s events.Subjects) []string {
	var names []string
	for _, stream := range events.Streams() {
		names = append(names, s.StreamName(stream.Name))
	}
	for _, bucket := range events.Buckets() {
		names = append(names, "KV_"+s.BucketName(bucket.Name))
	}
	for _, store := range events.ObjectStores() {
		names = append(names, "OBJ_"+s.BucketName(store.Name))
	}
	return names
}
