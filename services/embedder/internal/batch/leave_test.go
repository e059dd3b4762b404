package batch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

// left embeds and expects that the caller leaves.
func left(ctx context.Context, t *testing.T, b *batch.Batcher, list ...string) {
	t.Helper()
	_, err := b.Embed(ctx, "", batch.Group{Model: "m"}, list)
	if code := events.CodeOf(err); code != events.CodeCanceled && code != events.CodeDeadlineExceeded {
		t.Errorf("%v", err)
	}
}

// TestWhoLeavesTheQueue is not asked for; what others want of it, is.
func TestWhoLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Second, limits: llm.EmbedLimits{Items: 100}}
		b := batch.New(f, batch.Options{InFlight: 1, Queued: 100})
		var all sync.WaitGroup
		all.Go(func() { embed(t, b, "t0") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() { left(ctx, t, b, texts(1, 90)...) })
		synctest.Wait()
		var counted atomic.Int64
		all.Go(func() { counted.Store(int64(tokens(embed(t, b, "t5", "t7")))) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		all.Go(func() { embed(t, b, texts(200, 90)...) }) // there is room again
		all.Wait()
		require.Len(t, f.calls, 2)
		require.Len(t, f.calls[1], 92)
		require.Equal(t, int64(4), counted.Load(), "who stays is counted for it")
	})
}

// TestWhoLeavesACall: it is ended when it was the last, and goes on for others.
func TestWhoLeavesACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		defer all.Wait()
		var ended atomic.Int32
		f := &fake{}
		f.answer = func(ctx context.Context, texts []string, _ bool) (*llm.Embedded, error) {
			select {
			case <-time.After(time.Second):
				return right(texts), nil
			case <-ctx.Done():
				ended.Add(1)
				return nil, ctx.Err()
			}
		}
		b := batch.New(f, batch.Options{InFlight: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		left(ctx, t, b, "t1", "t2")
		synctest.Wait()
		require.Equal(t, int32(1), ended.Load())

		// Another has joined, whose deadline is the call's from then on.
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		all.Go(func() { left(ctx, t, b, "t1", "t2") })
		synctest.Wait()
		require.Equal(t, 2, tokens(embed(t, b, "t2")))
		require.Equal(t, int32(1), ended.Load())
		require.Equal(t, 2, f.made())

		// Who comes when all have left asks anew.
		ctx, cancel = context.WithCancel(t.Context())
		all.Go(func() { left(ctx, t, b, "t1") })
		synctest.Wait()
		cancel()
		synctest.Wait()
		embed(t, b, "t1")
		require.Equal(t, int32(2), ended.Load())
		require.Equal(t, 4, f.made())
	})
}

// TestDeadline: a call has as much time as the last who waits for it.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var seen []time.Duration
		f := &fake{answer: func(ctx context.Context, texts []string, _ bool) (*llm.Embedded, error) {
			inner, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			for range 3 {
				if deadline, ok := ctx.Deadline(); ok {
					seen = append(seen, deadline.Sub(begin))
				} else {
					seen = append(seen, 0)
				}
				<-time.After(time.Second)
			}
			return right(texts), inner.Err()
		}}
		b := batch.New(f, batch.Options{})
		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		longer, cancelLonger := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancelLonger()
		var all sync.WaitGroup
		for i, ctx := range []context.Context{short, longer, t.Context()} {
			time.AfterFunc(time.Duration(i)*time.Second-time.Duration(i)*time.Millisecond, func() {
				all.Go(func() {
					if _, err := b.Embed(ctx, "", batch.Group{}, texts(1, 1)); err != nil {
						t.Errorf("%v", err)
					}
				})
			})
		}
		<-time.After(2 * time.Second)
		all.Wait()
		require.Equal(t, []time.Duration{10 * time.Second, 20 * time.Second, 0}, seen)
	})
}

// TestLeavingWhileItIsDivided: what nobody waits for is not asked again.
func TestLeavingWhileItIsDivided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		defer all.Wait()
		f := &fake{takes: time.Second, limits: llm.EmbedLimits{Items: 64}, answer: poisoned(llm.ClassContent, events.CodeContentRejected, "t1")}
		b := batch.New(f, batch.Options{InFlight: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		all.Go(func() { left(ctx, t, b, texts(0, 64)...) })
		synctest.Wait()
		embed(t, b, "t9")
		<-time.After(time.Minute)
		calls := f.made()
		require.LessOrEqual(t, calls, 7)
		for _, c := range f.calls[3:] {
			require.Contains(t, c, "t9")
		}
	})
}

// TestGoroutineThatEnds: not even then is anybody left waiting, nor a place in flight lost.
func TestGoroutineThatEnds(t *testing.T) {
	t.Parallel()
	f := &fake{answer: func(context.Context, []string, bool) (*llm.Embedded, error) {
		runtime.Goexit()
		return nil, nil //nolint:nilnil // it is not reached
	}}
	b := batch.New(f, batch.Options{InFlight: 1})
	for range 3 {
		items, err := b.Embed(t.Context(), "", batch.Group{}, texts(0, 3))
		require.NoError(t, err)
		require.Equal(t, events.CodeInternal, events.CodeOf(items[2].Err))
	}
}

// TestStress: whatever comes together, everybody gets the vectors of his own texts, or leaves; nothing is left behind.
func TestStress(t *testing.T) {
	t.Parallel()
	var used atomic.Int64
	f := &fake{limits: llm.EmbedLimits{Items: 7, Tokens: 30}}
	f.answer = func(ctx context.Context, texts []string, _ bool) (*llm.Embedded, error) {
		for range rand.IntN(20) {
			runtime.Gosched()
		}
		e, err := poisoned(llm.ClassCaller, events.CodeInvalidArgument, "t13", "t77", "t78")(ctx, texts, false)
		if err == nil {
			used.Add(int64(e.PromptTokens))
		}
		return e, err
	}
	b := batch.New(f, batch.Options{InFlight: 3, Window: time.Millisecond})
	var counted atomic.Int64
	var all sync.WaitGroup
	for worker := range 32 {
		all.Go(func() {
			for range 60 {
				list := make([]string, 1+rand.IntN(20))
				for i := range list {
					list[i] = fmt.Sprintf("t%d", rand.IntN(200))
				}
				ctx, cancel := context.WithCancel(t.Context())
				if worker%4 == 0 {
					go cancel()
				}
				items, err := b.Embed(ctx, "", batch.Group{Model: "m"}, list)
				cancel()
				if err != nil {
					continue
				}
				counted.Add(int64(tokens(items)))
				for i, item := range items {
					bad := list[i] == "t13" || list[i] == "t77" || list[i] == "t78"
					if bad != (item.Err != nil) || !bad && item.Vector[0] != number(list[i]) {
						t.Errorf("%s: %+v", list[i], item)
					}
				}
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, f.most, 3)
	require.LessOrEqual(t, counted.Load(), used.Load())
	require.Positive(t, counted.Load())
}
