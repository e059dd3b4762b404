package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
)

const budget = 25 * time.Second

var (
	errMain = errors.New("main broke")
	errStop = errors.New("stop broke")
)

// record remembers in which order things happened.
type record struct {
	mu    sync.Mutex
	steps []string
}

func (r *record) add(step string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, step)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// untilStopped is a main with nothing to drain.
func untilStopped(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestRunStopsInReverseOrderAfterMain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got record
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Minute) //nolint:forbidigo // the clock of the bubble
			cancel()
		}()
		err := lifecycle.Run(ctx, quiet(), budget, func(ctx context.Context, rt *lifecycle.Runtime) error {
			for _, name := range []string{"telemetry", "listener", "bus"} {
				rt.OnStop(name, func(ctx context.Context) error {
					require.NoError(t, ctx.Err(), "stopping needs a context that lives")
					got.add(name)
					return nil
				})
			}
			<-ctx.Done()
			got.add("drained")
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, []string{"drained", "bus", "listener", "telemetry"}, got.steps)
	})
}

func TestRunReturnsWhenMainDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stopped := false
		err := lifecycle.Run(t.Context(), quiet(), budget, func(_ context.Context, rt *lifecycle.Runtime) error {
			rt.OnStop("bus", func(context.Context) error {
				stopped = true
				return nil
			})
			return nil
		})
		require.NoError(t, err)
		require.True(t, stopped)
	})
}

func TestRunJoinsAndNamesErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		err := lifecycle.Run(t.Context(), quiet(), budget, func(_ context.Context, rt *lifecycle.Runtime) error {
			rt.OnStop("telemetry", func(context.Context) error { return nil })
			rt.OnStop("bus", func(context.Context) error { return errStop })
			return errMain
		})
		require.ErrorIs(t, err, errMain)
		require.ErrorIs(t, err, errStop)
		require.EqualError(t, err, "main broke\nstop bus: stop broke")
	})
}

func TestRunOneBudgetForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var left time.Duration
		err := lifecycle.Run(ctx, quiet(), budget, func(ctx context.Context, rt *lifecycle.Runtime) error {
			rt.OnStop("listener", func(ctx context.Context) error {
				<-ctx.Done() // takes all that is left
				return ctx.Err()
			})
			rt.OnStop("bus", func(ctx context.Context) error {
				deadline, ok := ctx.Deadline()
				require.True(t, ok)
				left = time.Until(deadline)
				return nil
			})
			<-ctx.Done()
			<-time.After(10 * time.Second) // drains
			return nil
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "stop listener")
		require.Equal(t, 15*time.Second, left, "the drain comes out of the same budget")
		require.Equal(t, budget, time.Since(start))
	})
}

func TestRunGivesUpOnWhatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		hang := make(chan struct{})
		defer close(hang)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		reached := false
		err := lifecycle.Run(ctx, quiet(), budget, func(_ context.Context, rt *lifecycle.Runtime) error {
			rt.OnStop("telemetry", func(ctx context.Context) error {
				reached = true
				require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded, "nothing is left of the budget")
				return nil
			})
			rt.OnStop("bus", func(context.Context) error {
				<-hang
				return nil
			})
			rt.Go("worker", func(context.Context) error {
				<-hang
				return nil
			})
			<-hang
			return nil
		})
		require.EqualError(t, err, "did not stop in time\nstop bus: did not stop in time\nworker: did not stop in time")
		require.True(t, reached, "what is behind the one that hangs is stopped all the same")
		require.Less(t, time.Since(start), budget+2*time.Second)
	})
}

func TestRuntimeGoFailureStopsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		err := lifecycle.Run(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), budget, func(ctx context.Context, rt *lifecycle.Runtime) error {
			rt.Go("quiet worker", untilStopped)
			rt.Go("listener", func(context.Context) error { return errMain })
			return untilStopped(ctx)
		})
		require.EqualError(t, err, "listener: main broke")
		require.ErrorIs(t, err, errMain)
		require.Contains(t, log.String(), `reason="listener: main broke"`)
	})
}

func TestRuntimeGoLivesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got record
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := lifecycle.Run(ctx, quiet(), budget, func(ctx context.Context, rt *lifecycle.Runtime) error {
			closed := make(chan struct{})
			rt.OnStop("listener", func(context.Context) error {
				got.add("stop")
				close(closed)
				return nil
			})
			rt.Go("listener", func(context.Context) error {
				<-closed
				got.add("served")
				return nil
			})
			return untilStopped(ctx)
		})
		require.NoError(t, err)
		require.Equal(t, []string{"stop", "served"}, got.steps)
	})
}

// To return the context's own error after a stop is clean; before it, it is an error like any other.
func TestRunCanceledIsClean(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := lifecycle.Run(ctx, quiet(), budget, func(ctx context.Context, rt *lifecycle.Runtime) error {
			rt.Go("worker", func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)

		err = lifecycle.Run(t.Context(), quiet(), budget, func(context.Context, *lifecycle.Runtime) error { return context.Canceled })
		require.ErrorIs(t, err, context.Canceled)
	})
}

type codedError int

func (codedError) Error() string   { return "coded" }
func (e codedError) ExitCode() int { return int(e) }

func TestExitCode(t *testing.T) {
	t.Parallel()
	require.Equal(t, 0, lifecycle.ExitCode(nil))
	require.Equal(t, lifecycle.ExitFailure, lifecycle.ExitCode(errMain))
	require.Equal(t, lifecycle.ExitUsage, lifecycle.ExitCode(errors.Join(errMain, codedError(2))))
	emergency := fmt.Errorf("emergency: %w", &lifecycle.EmergencyError{Reason: "no memory"})
	require.Equal(t, 75, lifecycle.ExitCode(errors.Join(errMain, emergency)))
	require.EqualError(t, emergency, "emergency: emergency shutdown: no memory")
}
