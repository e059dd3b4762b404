package ciwatch

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

// maxPace bounds how far polls are spread to make a rate limit last.
const maxPace = 5 * time.Minute

// watch polls until ctx ends.
func (s *Service) watch(ctx context.Context) {
	failures := 0
	for {
		quota, err := s.check(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			s.log.WarnContext(ctx, "the poll failed", "provider", "github", "subject", s.cfg.Repository, "attempt", failures,
				"code", events.CodeOf(err), "err", err)
		default:
			failures = 0
		}
		timer := time.NewTimer(s.wait(err, failures, quota))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// wait returns how long the next poll has to wait: the interval; longer when GitHub asks for it, when polls fail one
// after another, or when the rate limit would not last to the end of its window.
func (s *Service) wait(err error, failures int, quota forge.Quota) time.Duration {
	interval := s.cfg.PollInterval
	if err != nil {
		backoff := retry.Backoff{Base: interval, Cap: max(interval, maxPace), Jitter: interval / 10}
		return max(backoff.Delay(failures-1, rand.Float64), events.AsError(err).RetryAfter)
	}
	if quota.Limit == 0 {
		return interval
	}
	pace := time.Until(quota.Reset) / time.Duration(max(quota.Remaining, 1))
	return max(interval, min(pace, maxPace))
}

// check polls once. Polls take turns: one that waits sees what the one before it did. The outcome is what status tells
// from then on, unless it was ctx that ended the poll.
func (s *Service) check(ctx context.Context) (forge.Quota, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return forge.Quota{}, ctx.Err()
	}
	began := time.Now()
	quota, err := s.poll(ctx)
	if ctx.Err() != nil && err != nil {
		return quota, ctx.Err()
	}
	s.metrics.polled(began, err)
	if quota.Limit > 0 {
		s.metrics.quota.Set(float64(quota.Remaining))
	}
	s.show(err)
	return quota, err
}
