package upstream_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

// TestLimitedKeyRests: until the time that the provider has said, and for the one model.
func TestLimitedKeyRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.on("k1", status(429, "Retry-After", "600"), answers)
		u := newUpstream(t, f, keys("k1", "k2"), nil)
		require.NoError(t, ask(t.Context(), u, "m"))
		require.NoError(t, ask(t.Context(), u, "m"))
		require.Equal(t, "k1 k2 k2", f.calls())
		require.NoError(t, ask(t.Context(), u, "other"))
		require.Equal(t, "k1 k2 k2 k1", f.calls(), "other models have other limits")

		f.on("k2", status(429, "Retry-After", "900"))
		for range 2 {
			err := ask(t.Context(), u, "m")
			require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
			require.Equal(t, 10*time.Minute, events.AsError(err).RetryAfter, "k1 is the first that can be used again")
			require.Equal(t, 10*time.Minute, time.Until(llm.FaultOf(err).Until))
		}
		require.Equal(t, 5, f.count(), "nobody is asked while both rest")
		<-time.After(10 * time.Minute)
		require.NoError(t, ask(t.Context(), u, "m"))
	})
}

// TestBreaker: a server that fails in a row, or is too slow, is left alone, and used again when it answers.
func TestBreaker(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]step{"network": network(), "slow": status(504)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.on("", s)
				var log bytes.Buffer
				u := newUpstream(t, f, keys("k1", "k2"), func(o *upstream.Options) {
					o.Retries, o.Logger = 0, slog.New(slog.NewTextHandler(&log, nil))
				})
				for range 10 {
					require.True(t, events.AsError(ask(t.Context(), u, "m")).Retryable)
				}
				require.Equal(t, 5, f.count())
				require.Equal(t, 10*time.Second, events.AsError(ask(t.Context(), u, "m")).RetryAfter)
				require.Contains(t, log.String(), "a provider is left alone: it fails")
				<-time.After(10 * time.Second)
				f.on("", answers)
				for range 10 {
					require.NoError(t, ask(t.Context(), u, "m"))
				}
				require.Equal(t, 1, strings.Count(log.String(), "a provider answers again"))
			})
		})
	}
}

// TestAnswersDoNotOpenTheBreaker: nor does what is wrong with a text, or a caller without time.
func TestAnswersDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		u := newUpstream(t, f, keys("k1"), func(o *upstream.Options) { o.Retries = 0 })
		for _, s := range []step{badAnswer(), status(400), reason(400, "content_filter"), takes(time.Hour)} {
			f.on("", s)
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				require.Error(t, ask(ctx, u, "m"))
				cancel()
			}
		}
		require.Equal(t, 80, f.count())
		f.on("", answers)
		require.NoError(t, ask(t.Context(), u, "m"))
	})
}
