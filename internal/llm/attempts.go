package llm

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// longestWait is the longest Retry-After that is waited out inside one request. A longer one is told to the caller.
const longestWait = 20 * time.Second

// Attempts says how often a failed request to a provider is repeated, and when.
type Attempts struct {
	// Retries is how many attempts follow the first; 0 is none.
	Retries int
	// Backoff is the wait before each of them, unless the provider asks for more.
	Backoff retry.Backoff
}

// DefaultAttempts are the numbers of the official SDKs: two retries, from half a second on, at most 8 s apart.
func DefaultAttempts() Attempts {
	return Attempts{Retries: 2, Backoff: retry.Backoff{Base: 500 * time.Millisecond, Cap: 8 * time.Second, Jitter: 250 * time.Millisecond}}
}

// Do calls op until it succeeds, fails with an error that is not retryable, or the retries are used up, and returns
// op's last error. It gives up at once when the wait would not fit into ctx's deadline: the caller learns the
// provider's Retry-After instead of running into a timeout.
func (a Attempts) Do(ctx context.Context, op func(context.Context) error) error {
	for n := 0; ; n++ {
		err := op(ctx)
		if err == nil || n >= a.Retries || ctx.Err() != nil {
			return err
		}
		failure := events.AsError(err)
		if !failure.Retryable || failure.RetryAfter > longestWait {
			return err
		}
		wait := max(failure.RetryAfter, a.Backoff.Delay(n, rand.Float64))
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
