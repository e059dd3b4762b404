package batch_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

func TestManyClientsShareTwoCalls(t *testing.T) {
	t.Parallel()
	for name, takes := range map[string]time.Duration{"slow": 300 * time.Millisecond, "fast": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{takes: takes}
				b := batch.New(f, batch.Options{})
				var all sync.WaitGroup
				begin := time.Now()
				for i := range 64 {
					all.Go(func() {
						items, err := b.Embed(t.Context(), "", batch.Group{Model: "m"}, texts(i, 1))
						if err != nil || items[0].Err != nil || items[0].Vector[0] != float32(i) {
							t.Errorf("%d: %v %v", i, items, err)
						}
					})
				}
				all.Wait()
				require.LessOrEqual(t, f.made(), 2)
				require.LessOrEqual(t, time.Since(begin), takes+5*time.Millisecond+takes)
			})
		})
	}
}

// TestNobodyWaitsWhenIdle: the window is for those who come while a call is in flight.
func TestNobodyWaitsWhenIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		defer all.Wait()
		f := &fake{takes: 10 * time.Millisecond}
		b := batch.New(f, batch.Options{})
		for i := range 10 {
			begin := time.Now()
			embed(t, b, texts(i, 1)...)
			require.Equal(t, f.takes, time.Since(begin))
		}
		all.Go(func() { embed(t, b, "t1") })
		synctest.Wait()
		begin := time.Now()
		embed(t, b, "t2")
		require.Equal(t, 5*time.Millisecond+f.takes, time.Since(begin), "it has waited for others until the end of the window")

		all.Go(func() { embed(t, b, "t1") })
		<-time.After(7 * time.Millisecond)
		begin = time.Now()
		embed(t, b, "t2")
		require.Equal(t, 3*time.Millisecond+f.takes, time.Since(begin), "a call that comes back takes along who waits")
	})
}

func TestWindowOfNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		defer all.Wait()
		f := &fake{takes: 10 * time.Millisecond}
		b := batch.New(f, batch.Options{Window: -1})
		all.Go(func() { embed(t, b, "t1") })
		synctest.Wait()
		begin := time.Now()
		embed(t, b, "t2")
		require.Equal(t, f.takes, time.Since(begin))
	})
}

func TestLargeRequestsAreSplit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits llm.EmbedLimits
		calls  int
	}{
		"by items":             {llm.EmbedLimits{Items: 96}, 105},
		"by tokens":            {llm.EmbedLimits{Tokens: 200}, 100}, // each is guessed to have 2
		"by both":              {llm.EmbedLimits{Items: 150, Tokens: 200}, 100},
		"when nobody tells":    {llm.EmbedLimits{}, 20},
		"into singles by need": {llm.EmbedLimits{Tokens: 1}, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{limits: c.limits, takes: 50 * time.Millisecond}
				b := batch.New(f, batch.Options{})
				list := make([]string, 10_000)
				sum := 0
				for i := range list {
					list[i] = texts(10_000+i, 1)[0]
					sum += len(list[i])
				}
				items := embed(t, b, list...)
				require.Equal(t, c.calls, f.made())
				require.Equal(t, sum, tokens(items))
				require.LessOrEqual(t, f.most, 8)
			})
		})
	}
}

// TestGroupsDoNotMix: only what has the same parameters shares a call, and each group has calls of its own.
func TestGroupsDoNotMix(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Second}
		b := batch.New(f, batch.Options{InFlight: 1})
		var all sync.WaitGroup
		begin := time.Now()
		for _, g := range []batch.Group{
			{Model: "m"},
			{Model: "n"},
			{Model: "m", Dimensions: 8},
			{Model: "m", InputType: "query"},
			{Model: "m", User: "u"},
			{Model: "m", Truncate: true},
		} {
			all.Go(func() {
				items, err := b.Embed(t.Context(), "", g, texts(1, 2))
				if err != nil || items[1].Err != nil {
					t.Errorf("%v %v", items, err)
				}
			})
		}
		all.Wait()
		require.Equal(t, time.Second, time.Since(begin))
		require.Equal(t, 6, f.made())
	})
}

// TestSameTextIsAskedForOnce: in one request, while it waits, and while it is in flight. It is counted once.
func TestSameTextIsAskedForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Second, limits: llm.EmbedLimits{Items: 2}}
		b := batch.New(f, batch.Options{InFlight: 1})
		counted := make([]int, 3)
		var all sync.WaitGroup
		for i, list := range [][]string{{"t1", "t2", "t1", "t1"}, {"t2", "t3"}, {"t3", "t2", "t3"}} {
			all.Go(func() {
				items := embed(t, b, list...)
				counted[i] = tokens(items)
			})
			synctest.Wait()
		}
		all.Wait()
		require.Equal(t, [][]string{{"t1", "t2"}, {"t3"}}, f.calls)
		require.Equal(t, []int{4, 2, 0}, counted)
		embed(t, b, "t1")
		require.Equal(t, 3, f.made(), "what is done is not remembered")
	})
}

// TestSmallRequestsAreNotHeldUp: a call takes one text of each request in turn.
func TestSmallRequestsAreNotHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Second, limits: llm.EmbedLimits{Items: 16}}
		b := batch.New(f, batch.Options{InFlight: 1})
		var all sync.WaitGroup
		all.Go(func() { embed(t, b, texts(0, 2048)...) })
		synctest.Wait()
		begin := time.Now()
		for i := range 15 {
			all.Go(func() {
				embed(t, b, texts(10_000+i, 1)...)
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		}
		all.Wait()
		require.Equal(t, (2048+15+15)/16, f.made())
	})
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	f := &fake{}
	b := batch.New(f, batch.Options{})
	items, err := b.Embed(t.Context(), "", batch.Group{}, nil)
	require.NoError(t, err)
	require.Empty(t, items)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Embed(ctx, "", batch.Group{}, texts(1, 1))
	require.Equal(t, events.CodeCanceled, events.CodeOf(err))
	require.Zero(t, f.made())
}

// TestQueueIsBounded: a request that does not fit is refused as a whole, and told when to come again.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Second, limits: llm.EmbedLimits{Items: 10}}
		b := batch.New(f, batch.Options{InFlight: 1, Queued: 100})
		refused := func(code events.Code, list []string) {
			t.Helper()
			items, err := b.Embed(t.Context(), "", batch.Group{Model: "m"}, list)
			require.NoError(t, err)
			require.Len(t, items, len(list))
			for _, item := range items {
				require.Equal(t, code, events.CodeOf(item.Err))
			}
			if code == events.CodeRateLimited {
				require.Positive(t, events.AsError(items[0].Err).RetryAfter)
				require.True(t, events.AsError(items[0].Err).Retryable)
			}
		}
		refused(events.CodeInvalidArgument, texts(0, 101))
		var all sync.WaitGroup
		all.Go(func() { embed(t, b, texts(0, 100)...) }) // of which 90 wait
		synctest.Wait()
		refused(events.CodeRateLimited, texts(1000, 11))
		all.Go(func() { embed(t, b, slices.Concat(texts(5, 50), texts(1000, 10))...) }) // most of them wait or are in flight already
		synctest.Wait()
		refused(events.CodeRateLimited, texts(2000, 1))
		all.Wait()
		embed(t, b, texts(0, 100)...)
	})
}
