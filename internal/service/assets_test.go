package service

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeBus answers one after the other, and the last answer for ever.
type fakeBus struct {
	answers []answer
	asked   int
}

type answer struct {
	missing []string
	err     error
}

// Missing implements finder.
func (f *fakeBus) Missing(context.Context, string) ([]string, error) {
	a := f.answers[min(f.asked, len(f.answers)-1)]
	f.asked++
	return a.missing, a.err
}

func TestAssetsWaitSaysWhatChangesAndNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		none, one := answer{err: errors.New("JetStream is not switched on")}, answer{missing: []string{"stream A"}}
		b := &fakeBus{answers: []answer{none, none, {missing: []string{"stream A", "stream B"}}, one, one, one, {}}}
		var log bytes.Buffer
		start := time.Now()
		require.NoError(t, newAssets(b, "embedder").wait(t.Context(), slog.New(slog.NewTextHandler(&log, nil))))
		require.Equal(t, 6*time.Second, time.Since(start), "once a second")
		require.Equal(t, 4, bytes.Count(log.Bytes(), []byte("\n")), log.String())
		require.Contains(t, log.String(), "JetStream is not switched on")
		require.Contains(t, log.String(), "missing: stream A, stream B; make them with: mlsdmctl provision")
	})
}

func TestAssetsWaitIsSilentWhenNothingIsMissing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := newAssets(&fakeBus{answers: []answer{{}}}, "embedder")
	require.Error(t, a.check(t.Context()), "not ready before it has looked")
	require.NoError(t, a.wait(t.Context(), slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, a.check(t.Context()))
	require.Empty(t, log.String())
}

// Streams can go away while a service runs; probes must find out, without a question to the server for each.
func TestAssetsCheckAsksNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBus{answers: []answer{{}, {missing: []string{"stream A"}}, {}}}
		a := newAssets(b, "embedder")
		require.NoError(t, a.wait(t.Context(), slog.New(slog.DiscardHandler)))
		for range 9 {
			<-time.After(time.Second)
			require.NoError(t, a.check(t.Context()))
		}
		require.Equal(t, 1, b.asked)
		<-time.After(time.Second)
		require.ErrorContains(t, a.check(t.Context()), "stream A")
		<-time.After(freshFor)
		require.NoError(t, a.check(t.Context()))
		require.Equal(t, 3, b.asked)
	})
}

func TestAssetsWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a := newAssets(&fakeBus{answers: []answer{{missing: []string{"stream A"}}}}, "embedder")
		require.ErrorIs(t, a.wait(ctx, slog.New(slog.DiscardHandler)), context.DeadlineExceeded)
	})
}
