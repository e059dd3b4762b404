package cached_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

func TestFound(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		asked := time.Now()
		w.store.set(slowly(time.Second, gives("1")))
		for range 2 {
			found, err := w.Get(t.Context(), ref(), cached.Options{})
			require.NoError(t, err)
			require.Equal(t, asked, found.FetchedAt, "it is as old as the question")
			require.GreaterOrEqual(t, found.ExpiresAt, asked.Add(270*time.Second))
			require.LessOrEqual(t, found.ExpiresAt, asked.Add(300*time.Second))
			require.Zero(t, found.Entry.ExpiresAt)
			pass(time.Minute)
		}
		w.store.set(fails(secret.ErrUnavailable))
		pass(5 * time.Minute)
		found, err := w.Get(t.Context(), ref(), cached.Options{MaxStale: 20 * time.Minute})
		require.NoError(t, err)
		require.True(t, found.Stale)
		require.Equal(t, asked.Add(20*time.Minute), found.ExpiresAt)
	})
}

func TestTTLsAreSpread(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		first, last := time.Hour, time.Duration(0)
		for n := range 200 {
			found, err := w.Get(t.Context(), other(n), cached.Options{})
			require.NoError(t, err)
			ttl := found.ExpiresAt.Sub(found.FetchedAt)
			first, last = min(first, ttl), max(last, ttl)
		}
		require.GreaterOrEqual(t, first, 270*time.Second)
		require.LessOrEqual(t, last, 300*time.Second)
		require.Greater(t, last-first, 20*time.Second)
	})
}

func TestEachGetIsJudgedByItsOwnTTL(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{TTL: time.Hour}))
		w.store.set(gives("2"))
		pass(30 * time.Minute)
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{TTL: time.Hour}))
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{TTL: time.Minute}))
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{}))
		require.Equal(t, 2, w.store.taken())
	})
}

func TestLook(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]cached.State{
		"cold": cached.Unknown, "fresh": cached.Fresh, "ahead": cached.Fresh, "ahead, failed": cached.Fresh, "past": cached.Unknown,
		"stale": cached.Stale, "stale, failed long ago": cached.Unknown, "too old": cached.Unknown, "lease ended": cached.Unknown,
		"missing": cached.Missing, "missing, over": cached.Missing, "refused": cached.Refusing, "purged, over": cached.Refusing,
		"unusable": cached.Refusing, "failing": cached.Failing, "store away, cold": cached.Unknown, "store away, fresh": cached.Fresh,
		"store away, past": cached.Stale, "store away, too old": cached.Failing,
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
				states()[state](t, w)
				w.store.taken()
				known := w.Look(ref())
				require.Equal(t, want, known.State)
				require.Equal(t, want == cached.Fresh || want == cached.Stale, !known.ExpiresAt.IsZero())
				require.Equal(t, !known.FetchedAt.IsZero(), known.Version == "1")
				if want == cached.Missing || want == cached.Failing || want == cached.Refusing || want == cached.Stale {
					require.Error(t, known.Err)
				}
				synctest.Wait()
				require.Zero(t, w.store.taken(), "it asks nobody")
			})
		})
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{MaxEntries: 3}, func(t *testing.T, w *world) {
		ask := func(n int) {
			_, err := w.Get(t.Context(), other(n), cached.Options{})
			require.NoError(t, err)
		}
		for n := range 3 {
			ask(n)
		}
		ask(0) // it is now the one that was used last
		ask(3)
		require.Equal(t, 4, w.store.taken())
		ask(0)
		ask(2)
		ask(3)
		require.Zero(t, w.store.taken())
		require.Equal(t, cached.Unknown, w.Look(other(1)).State)
	})
	inBubble(t, cached.Config{MaxBytes: 200 << 10}, func(t *testing.T, w *world) {
		w.store.set(func(context.Context, secret.Ref) (secret.Entry, error) {
			return secret.NewEntry(secret.StoreVault, "1", strings.Repeat("x", secret.MaxValue))
		})
		fresh := func() (n int) {
			for i := range 10 {
				if w.Look(other(i)).State == cached.Fresh {
					n++
				}
			}
			return n
		}
		for n := range 10 {
			_, err := w.Get(t.Context(), other(n), cached.Options{})
			require.NoError(t, err)
			require.Equal(t, min(n+1, 3), fresh())
		}
	})
	inBubble(t, cached.Config{MaxBytes: 1}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}), "one is as large as it is")
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		require.Equal(t, 1, w.store.taken())
	})
}

func TestWhoIsDroppedWhileItIsAskedFor(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{MaxEntries: 1}, func(t *testing.T, w *world) {
		w.store.set(slowly(time.Second, gives("1")))
		answers := make(chan string, 1)
		go func() { answers <- w.get(t.Context(), cached.Options{}) }()
		synctest.Wait()
		_, err := w.Get(t.Context(), other(1), cached.Options{})
		require.NoError(t, err)
		require.Equal(t, "v1", <-answers)
		require.Equal(t, cached.Unknown, w.Look(ref()).State)
	})
}

func TestStoreThatIsNotThere(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		_, err := w.Get(t.Context(), secret.Ref{Store: secret.StoreAWS, Path: "x"}, cached.Options{})
		require.ErrorIs(t, err, cached.ErrNoStore)
		require.ErrorContains(t, err, `"aws"`)
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, reg := &fake{answer: gives("1")}, prometheus.NewRegistry()
		stores := map[string]secret.Store{secret.StoreVault: store}
		c, err := cached.New(stores, cached.Config{Metrics: reg}, nil)
		require.NoError(t, err)
		defer c.Close()
		get := func(r secret.Ref, o cached.Options) {
			_, err := c.Get(t.Context(), r, o)
			require.True(t, err == nil || errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrUnavailable), "%v", err)
			synctest.Wait()
		}
		get(ref(), cached.Options{})
		get(ref(), cached.Options{})
		store.set(fails(secret.ErrNotFound))
		get(other(1), cached.Options{})
		get(other(1), cached.Options{})
		store.set(fails(secret.ErrUnavailable))
		pass(10 * time.Minute)
		get(ref(), cached.Options{})
		for n := range 5 {
			get(other(2+n), cached.Options{})
		}
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP mlsdm_secret_cache_entries References that something is known of.
# TYPE mlsdm_secret_cache_entries gauge
mlsdm_secret_cache_entries 7
# HELP mlsdm_secret_cache_gets_total Secrets asked of the cache, by how it answered: hit, miss (the store was asked), stale, negative (a remembered refusal), failing (the store is not asked for a while), limited (asked too often to ask the store).
# TYPE mlsdm_secret_cache_gets_total counter
mlsdm_secret_cache_gets_total{answer="failing",store="vault"} 1
mlsdm_secret_cache_gets_total{answer="hit",store="vault"} 1
mlsdm_secret_cache_gets_total{answer="limited",store="vault"} 0
mlsdm_secret_cache_gets_total{answer="miss",store="vault"} 7
mlsdm_secret_cache_gets_total{answer="negative",store="vault"} 1
mlsdm_secret_cache_gets_total{answer="stale",store="vault"} 1
# HELP mlsdm_secret_cache_oldest_seconds How long ago a store gave the secret that has been kept longest, of those that are in the cache.
# TYPE mlsdm_secret_cache_oldest_seconds gauge
mlsdm_secret_cache_oldest_seconds{store="vault"} 600
# HELP mlsdm_secret_store_calls_total Calls to stores of secrets, by what came of them.
# TYPE mlsdm_secret_store_calls_total counter
mlsdm_secret_store_calls_total{outcome="denied",store="vault"} 0
mlsdm_secret_store_calls_total{outcome="given",store="vault"} 1
mlsdm_secret_store_calls_total{outcome="gone",store="vault"} 0
mlsdm_secret_store_calls_total{outcome="not_found",store="vault"} 1
mlsdm_secret_store_calls_total{outcome="unavailable",store="vault"} 5
mlsdm_secret_store_calls_total{outcome="unusable",store="vault"} 0
# HELP mlsdm_secret_store_failing Whether a store of secrets has failed so often that it is left alone (1) or not (0).
# TYPE mlsdm_secret_store_failing gauge
mlsdm_secret_store_failing{store="vault"} 1
`), "mlsdm_secret_cache_entries", "mlsdm_secret_cache_gets_total", "mlsdm_secret_cache_oldest_seconds",
			"mlsdm_secret_store_calls_total", "mlsdm_secret_store_failing"))
		_, err = cached.New(stores, cached.Config{Metrics: reg}, nil)
		require.ErrorContains(t, err, "metrics of the cache of secrets")
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]cached.Config{
		"the TTL is 1ms; it must be 1s to 720h0m0s":                            {TTL: time.Millisecond},
		"the longest staleness is 2160h0m0s; it must be at most 720h0m0s":      {MaxStale: 90 * 24 * time.Hour},
		"the time for which nothing is remembered is 1s; it must be 5s to 30s": {Negative: time.Second},
		"the time for which refusals are remembered is 1h0m0s":                 {Refused: time.Hour},
		"the timeout of stores is -1s":                                         {Timeout: -time.Second},
		"the patience is 1h0m0s":                                               {Patience: time.Hour},
		"the interval of calls without the cache is 1h0m0s":                    {Interval: time.Hour},
		"the number of entries is -1; it must be at least 1":                   {MaxEntries: -1},
		"the number of calls in the background is -3; it must be at least 1":   {Background: -3},
	} {
		_, err := cached.New(nil, cfg, nil)
		require.ErrorContains(t, err, want)
	}
}
