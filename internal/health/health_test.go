package health_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
)

func fine(context.Context) error { return nil }

func broken(context.Context) error { return errors.New("no connection") }

func weak(context.Context) error {
	return fmt.Errorf("cache: %w", health.Degraded("redis is away: %w", context.DeadlineExceeded))
}

func TestChecksStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		checks map[string]health.Check
		want   health.Report
		line   string
	}{
		{"none", nil, health.Report{Status: health.StatusReady, Checks: map[string]health.Result{}}, "ready"},
		{
			"all fine",
			map[string]health.Check{"bus": fine, "streams": fine},
			health.Report{Status: health.StatusReady, Checks: map[string]health.Result{
				"bus": {Status: health.StatusOK}, "streams": {Status: health.StatusOK},
			}},
			"ready",
		},
		{
			"one degraded",
			map[string]health.Check{"bus": fine, "redis": weak},
			health.Report{Status: health.StatusDegraded, Checks: map[string]health.Result{
				"bus": {Status: health.StatusOK}, "redis": {health.StatusDegraded, "cache: redis is away: context deadline exceeded"},
			}},
			"degraded; redis degraded: cache: redis is away: context deadline exceeded",
		},
		{
			"failed beats degraded",
			map[string]health.Check{"bus": broken, "a": weak, "z": weak},
			health.Report{Status: health.StatusNotReady, Checks: map[string]health.Result{
				"bus": {health.StatusFailed, "no connection"},
				"a":   {health.StatusDegraded, "cache: redis is away: context deadline exceeded"},
				"z":   {health.StatusDegraded, "cache: redis is away: context deadline exceeded"},
			}},
			"not_ready; bus failed: no connection; a degraded: cache: redis is away: context deadline exceeded; " +
				"z degraded: cache: redis is away: context deadline exceeded",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checks := health.NewChecks()
			for name, check := range tt.checks {
				checks.Register(name, check)
			}
			got := checks.Run(t.Context())
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.line, got.String())
		})
	}
}

func TestDegradedWraps(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, weak(t.Context()), context.DeadlineExceeded)
}

func TestChecksStopIsForGood(t *testing.T) {
	t.Parallel()
	checks := health.NewChecks()
	checks.Register("bus", fine)
	checks.Sub("embedder").Stop()
	report := checks.Run(t.Context())
	require.Equal(t, health.StatusNotReady, report.Status)
	require.Contains(t, report.String(), "shutting down")
	require.Equal(t, health.StatusOK, report.Checks["bus"].Status)
}

func TestChecksSubSharesUnderItsName(t *testing.T) {
	t.Parallel()
	checks := health.NewChecks()
	checks.Register("bus", fine)
	sub := checks.Sub("embedder")
	sub.Register("streams", broken)
	require.Equal(t, checks.Run(t.Context()), sub.Run(t.Context()))
	require.Contains(t, checks.Run(t.Context()).Checks, "embedder/streams")

	sub.Register("streams", fine)
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status, "a check takes the place of its namesake")
}

// All run at once: five that take two seconds take two seconds together.
func TestChecksRunAtTheSameTimeAndNoLongerThanAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks := health.NewChecks()
		for i := range 5 {
			checks.Register(fmt.Sprintf("slow%d", i), func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
		}
		start := time.Now()
		report := checks.Run(t.Context())
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Equal(t, health.StatusNotReady, report.Status)
	})
}

// A check that ignores its context is cut off, and does not pile up goroutines from probe to probe.
func TestChecksThatHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var started atomic.Int32
		checks := health.NewChecks()
		checks.Register("bus", fine)
		checks.Register("hung", func(context.Context) error {
			started.Add(1)
			<-release
			return nil
		})
		for range 20 {
			report := checks.Run(t.Context())
			require.Equal(t, health.StatusFailed, report.Checks["hung"].Status)
			require.Equal(t, health.StatusOK, report.Checks["bus"].Status)
		}
		require.LessOrEqual(t, started.Load(), int32(4))

		close(release)
		synctest.Wait()
		require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status, "it is fine once it answers again")
	})
}
