package upstream_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

func TestKeysAreChosenByWeight(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.begin = time.Now().Add(time.Hour)
	list := keys("k1", "k2", "k3")
	list[0].Weight, list[1].Weight = 6, 3
	rnd := rand.New(rand.NewPCG(1, 2))
	u := newUpstream(t, f, list, func(o *upstream.Options) { o.Random = rnd.Float64 })
	const asks = 20_000
	for range asks {
		require.NoError(t, ask(t.Context(), u, "m"))
	}
	counts := make(map[string]int)
	for _, key := range f.asked {
		counts[key]++
	}
	for key, want := range map[string]float64{"k1": .6, "k2": .3, "k3": .1} {
		require.InDelta(t, want, float64(counts[key])/asks, 5*math.Sqrt(want*(1-want)/asks), key)
	}
}

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

// TestRefusedKeyRests: it is tried again once in a while, by one call; one that may not use a model is good for others.
func TestRefusedKeyRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.on("", status(401), status(401), answers)
		var log bytes.Buffer
		u := newUpstream(t, f, keys("k1"), func(o *upstream.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for _, asked := range []int{1, 2} {
			for range 10 {
				err := ask(t.Context(), u, "m")
				require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
				require.False(t, events.AsError(err).Retryable)
			}
			require.Equal(t, asked, f.count())
			<-time.After(time.Minute)
		}
		<-time.After(time.Minute)
		require.NoError(t, ask(t.Context(), u, "m"))
		require.Contains(t, log.String(), "a key rests: the provider does not accept it")
		require.Contains(t, log.String(), "provider=a key=k1")
		require.Contains(t, log.String(), "a key works again")

		f.on("", status(403), answers)
		require.Equal(t, events.CodePermissionDenied, events.CodeOf(ask(t.Context(), u, "m")))
		require.Equal(t, events.CodePermissionDenied, events.CodeOf(ask(t.Context(), u, "m")))
		require.NoError(t, ask(t.Context(), u, "n"))
	})
}

// TestQuotaIsNotHammered: a key behind which there is no money is asked less and less often.
func TestQuotaIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.on("", reason(429, "insufficient_quota"))
		u := newUpstream(t, f, keys("k1"), nil)
		for range 48 * 60 {
			require.Error(t, ask(t.Context(), u, "m"))
			<-time.After(time.Minute)
		}
		require.InDelta(t, 15, f.count(), 5)
		f.on("", answers)
		<-time.After(6 * time.Hour)
		require.NoError(t, ask(t.Context(), u, "m"))
	})
}

// TestBreaker: a server that fails in a row is left alone, then one call finds out whether it answers, which others wait for elsewhere.
func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.on("", network())
		var log bytes.Buffer
		u := newUpstream(t, f, keys("k1", "k2"), func(o *upstream.Options) {
			o.Retries, o.Logger = 0, slog.New(slog.NewTextHandler(&log, nil))
		})
		for range 10 {
			err := ask(t.Context(), u, "m")
			require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
		}
		require.Equal(t, 5, f.count())
		err := ask(t.Context(), u, "m")
		require.Equal(t, 10*time.Second, events.AsError(err).RetryAfter)
		require.Contains(t, log.String(), "a provider is left alone: it fails")

		for _, rest := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
			<-time.After(rest)
			before := f.count()
			f.on("", func(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
				if _, err := takes(time.Second)(ctx, call); err != nil {
					return nil, err
				}
				return network()(ctx, call)
			})
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if err := ask(t.Context(), u, "m"); events.CodeOf(err) != events.CodeUnavailable {
						t.Errorf("%v", err)
					}
				})
			}
			all.Wait()
			require.Equal(t, before+1, f.count(), "one alone")
		}
		<-time.After(80 * time.Second)
		f.on("", answers)
		for range 10 {
			require.NoError(t, ask(t.Context(), u, "m"))
		}
		require.Equal(t, 1, strings.Count(log.String(), "a provider answers again"))
	})
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
