package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// TestManyModels: names that callers make up do not fill the memory.
func TestManyModels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.on("", status(429, "Retry-After", "3600"))
		f.limits = func(context.Context, string) (llm.EmbedLimits, error) { return llm.EmbedLimits{Items: 5}, nil }
		u := newUpstream(t, f, keys("k1"), nil)
		for i := range 1000 {
			require.Error(t, ask(t.Context(), u, fmt.Sprintf("m%d", i)))
			require.Equal(t, 5, u.Limits(t.Context(), fmt.Sprintf("n%d", i)).Items)
		}
		before := f.count()
		require.Error(t, ask(t.Context(), u, "m999"))
		require.Equal(t, before, f.count(), "the newest is remembered")
		for i := range 1000 {
			require.Error(t, ask(t.Context(), u, fmt.Sprintf("m%d", i)))
		}
		require.Greater(t, f.count(), before+1000-257)
	})
}

// TestLimits: they are asked for once, by a key that works, and asked again in time.
func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		asked := 0
		var err error
		f.limits = func(context.Context, string) (llm.EmbedLimits, error) {
			asked++
			<-time.After(time.Second)
			return llm.EmbedLimits{Items: 32 + asked}, err
		}
		u := newUpstream(t, f, keys("k1"), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.Zero(t, u.Limits(ctx, "m"), "nobody waits beyond his time")
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if got := u.Limits(t.Context(), "m").Items; got != 33 {
					t.Errorf("%d", got)
				}
			})
		}
		all.Wait()
		require.Equal(t, 1, asked)
		<-time.After(10 * time.Minute)
		begin := time.Now()
		require.Equal(t, 33, u.Limits(t.Context(), "m").Items)
		require.Zero(t, time.Since(begin), "what is known holds good meanwhile")
		<-time.After(2 * time.Second)
		require.Equal(t, 34, u.Limits(t.Context(), "m").Items)

		err = errors.New("no")
		<-time.After(10 * time.Minute)
		require.Equal(t, 34, u.Limits(t.Context(), "m").Items)
		<-time.After(2 * time.Second)
		require.Equal(t, 34, u.Limits(t.Context(), "m").Items, "and if it fails")
		require.Zero(t, u.Limits(t.Context(), "n"))
		f.limits = func(context.Context, string) (llm.EmbedLimits, error) { panic("oh") }
		require.Zero(t, u.Limits(t.Context(), "o"))
	})
}
