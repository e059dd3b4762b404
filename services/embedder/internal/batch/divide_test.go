package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

// ask embeds in group m and returns the numbers of the texts that failed.
func ask(t *testing.T, b *batch.Batcher, list []string) (items []batch.Item, failed []string) {
	t.Helper()
	items, err := b.Embed(t.Context(), "", batch.Group{Model: "m"}, list)
	require.NoError(t, err)
	require.Len(t, items, len(list))
	for i, item := range items {
		if item.Err != nil {
			require.Nil(t, item.Vector)
			failed = append(failed, list[i])
			continue
		}
		require.Equal(t, []float32{number(list[i])}, item.Vector)
	}
	return items, failed
}

// TestOneBadText does not fail its neighbours, wherever it stands, and costs few calls.
func TestOneBadText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		class llm.Class
		code  events.Code
	}{
		{llm.ClassCaller, events.CodeInvalidArgument},
		{llm.ClassContent, events.CodeContentRejected},
		{llm.ClassUnsupported, events.CodeInvalidArgument},
		{llm.ClassAnswer, events.CodeInternal},
	} {
		t.Run(string(c.class), func(t *testing.T) {
			t.Parallel()
			for at := range 96 {
				bad := texts(at, 1)
				f := &fake{limits: llm.EmbedLimits{Items: 96}, answer: poisoned(c.class, c.code, bad...)}
				b := batch.New(f, batch.Options{})
				items, failed := ask(t, b, texts(0, 96))
				require.Equal(t, bad, failed)
				require.Equal(t, c.class, llm.FaultOf(items[at].Err).Class)
				require.Equal(t, c.code, events.CodeOf(items[at].Err))
				require.LessOrEqual(t, f.made(), 15) // 2*log2(96)+2
				sum := 0
				for _, s := range texts(0, 96) {
					sum += len(s)
				}
				require.Equal(t, sum-len(bad[0]), tokens(items))
			}
		})
	}
}

func TestSomeBadTexts(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string][]string{
		"neighbours":           texts(30, 5),
		"spread":               {"t0", "t20", "t40", "t60", "t80", "t95"},
		"first of each probed": {"t0", "t1", "t2", "t48", "t64"},
		"all of a half":        texts(0, 48),
		"all but a few":        texts(4, 92),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{limits: llm.EmbedLimits{Items: 96}, answer: poisoned(llm.ClassCaller, events.CodeInvalidArgument, bad...)}
			_, failed := ask(t, batch.New(f, batch.Options{}), texts(0, 96))
			require.Equal(t, bad, failed)
			require.LessOrEqual(t, f.made(), 15*len(bad))
		})
	}
}

// TestWrongAsAWhole: a request that would fail with any text does not cost calls for each of them.
func TestWrongAsAWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(n int) *llm.Fault
		n     int
		calls int
	}{
		"caller": {func(int) *llm.Fault { return fault(llm.ClassCaller, events.CodeInvalidArgument) }, 2048, 9},
		"with the number of the call": {func(n int) *llm.Fault {
			return &llm.Fault{Class: llm.ClassCaller, Err: events.Errorf(events.CodeInvalidArgument, "dimensions (request req_%dab)", n)}
		}, 2048, 9},
		"answer": {func(n int) *llm.Fault {
			return &llm.Fault{Class: llm.ClassAnswer, Err: llm.BadAnswer("a", "vector %s", strings.Repeat("x", n))}
		}, 96, 9},
		"few texts": {func(int) *llm.Fault { return fault(llm.ClassCaller, events.CodeInvalidArgument) }, 8, 15},
		// What cannot be the fault of a text is asked once.
		"key":         {func(int) *llm.Fault { return fault(llm.ClassKey, events.CodeUnauthenticated) }, 96, 1},
		"limit":       {func(int) *llm.Fault { return fault(llm.ClassLimit, events.CodeRateLimited) }, 96, 1},
		"quota":       {func(int) *llm.Fault { return fault(llm.ClassQuota, events.CodeRateLimited) }, 96, 1},
		"provider":    {func(int) *llm.Fault { return fault(llm.ClassProvider, events.CodeUnavailable) }, 96, 1},
		"network":     {func(int) *llm.Fault { return fault(llm.ClassNetwork, events.CodeUnavailable) }, 96, 1},
		"timeout":     {func(int) *llm.Fault { return fault(llm.ClassTimeout, events.CodeDeadlineExceeded) }, 96, 1},
		"canceled":    {func(int) *llm.Fault { return fault(llm.ClassCanceled, events.CodeCanceled) }, 96, 1},
		"model":       {func(int) *llm.Fault { return fault(llm.ClassModel, events.CodeNotFound) }, 96, 1},
		"unsupported": {func(int) *llm.Fault { return fault(llm.ClassUnsupported, events.CodeUnsupported) }, 96, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			f := &fake{limits: llm.EmbedLimits{Items: 2048}}
			f.answer = func(context.Context, []string, bool) (*llm.Embedded, error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				n++
				return nil, c.fault(n)
			}
			items, failed := ask(t, batch.New(f, batch.Options{}), texts(0, c.n))
			require.Len(t, failed, c.n)
			require.Equal(t, c.calls, f.made())
			for _, item := range items {
				require.Equal(t, c.fault(1).Class, llm.FaultOf(item.Err).Class)
			}
		})
	}
}

// TestNeighboursOfABadRequest: a request all of whose texts are bad does not make those of others fail.
func TestNeighboursOfABadRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		defer all.Wait()
		bad := texts(100, 90)
		f := &fake{takes: time.Millisecond, limits: llm.EmbedLimits{Items: 96}, answer: poisoned(llm.ClassCaller, events.CodeInvalidArgument, bad...)}
		b := batch.New(f, batch.Options{InFlight: 1})
		all.Go(func() { embed(t, b, "t1") })
		synctest.Wait()
		all.Go(func() {
			items, err := b.Embed(t.Context(), "", batch.Group{Model: "m"}, bad)
			if err != nil || slices.ContainsFunc(items, func(i batch.Item) bool { return i.Err == nil }) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		embed(t, b, texts(2, 6)...)
		all.Wait()
		require.Len(t, f.calls[1], 96)
	})
}

// long refuses texts that begin with x as too long, unless it may cut them.
func long(_ context.Context, texts []string, truncate bool) (*llm.Embedded, error) {
	for _, t := range texts {
		if strings.HasPrefix(t, "x") && !truncate {
			return nil, fault(llm.ClassUnsupported, events.CodeInvalidArgument)
		}
	}
	e := right(texts)
	if truncate {
		e.PromptTokens = 7
	}
	return e, nil
}

func TestLongTexts(t *testing.T) {
	t.Parallel()
	list := texts(0, 96)
	for _, at := range []int{3, 20, 50, 90} {
		list[at] = fmt.Sprintf("%s%d", strings.Repeat("x", 100), at)
	}
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		f := &fake{limits: llm.EmbedLimits{Items: 96}, answer: long}
		items, err := batch.New(f, batch.Options{}).Embed(t.Context(), "", batch.Group{Model: "m", Truncate: true}, list)
		require.NoError(t, err)
		for i, item := range items {
			require.NoError(t, item.Err)
			if !strings.HasPrefix(list[i], "x") {
				require.Nil(t, item.Truncated)
				continue
			}
			require.Equal(t, &events.Truncation{Used: 7}, item.Truncated)
			require.Equal(t, 7, item.Tokens)
		}
		require.LessOrEqual(t, f.made(), 25, "the long ones are found together")
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		f := &fake{limits: llm.EmbedLimits{Items: 96}, answer: long}
		_, failed := ask(t, batch.New(f, batch.Options{}), list)
		require.Len(t, failed, 4)
	})
	t.Run("too long all the same", func(t *testing.T) {
		t.Parallel()
		f := &fake{answer: func(context.Context, []string, bool) (*llm.Embedded, error) {
			return nil, fault(llm.ClassUnsupported, events.CodeInvalidArgument)
		}}
		items, err := batch.New(f, batch.Options{}).Embed(t.Context(), "", batch.Group{Truncate: true}, texts(1, 1))
		require.NoError(t, err)
		require.Error(t, items[0].Err)
		require.Equal(t, 2, f.made(), "it is asked once more")
	})
}

// TestManyLongTexts do not cost calls for each of them, where it is to be seen that all were cut.
func TestManyLongTexts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of    func(i int) bool // which are long
		used  int              // tokens that are told of each that was cut
		calls int
	}{
		"all":           {func(int) bool { return true }, 20, 2},
		"some":          {func(i int) bool { return i%3 == 0 }, 20, 4},
		"but one":       {func(i int) bool { return i != 50 }, 20, 4},
		"without marks": {func(int) bool { return true }, 18, 2},
		"untold":        {func(int) bool { return true }, 0, 2 + 2*96 - 2 + 96}, // it is tried once
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{limits: llm.EmbedLimits{Items: 96, ItemTokens: 20}}
			f.answer = func(ctx context.Context, texts []string, truncate bool) (*llm.Embedded, error) {
				e, err := long(ctx, texts, truncate)
				if truncate {
					e.PromptTokens = c.used * len(texts)
				}
				return e, err
			}
			list := texts(0, 96)
			for i := range list {
				if c.of(i) {
					list[i] = fmt.Sprintf("%s%d", strings.Repeat("x", 80+i), i)
				}
			}
			items, err := batch.New(f, batch.Options{}).Embed(t.Context(), "", batch.Group{Truncate: true}, list)
			require.NoError(t, err)
			for i, item := range items {
				require.NoError(t, item.Err)
				require.Equal(t, []float32{float32(i)}, item.Vector)
				require.Equal(t, c.of(i), item.Truncated != nil)
				if c.of(i) {
					require.Equal(t, c.used, item.Tokens)
					require.InDelta(t, c.used, item.Truncated.Used, 2)
				}
			}
			require.Equal(t, c.calls, f.made())
		})
	}
}

// TestWhoTellsIsAskedToCutAtOnce: and believed.
func TestWhoTellsIsAskedToCutAtOnce(t *testing.T) {
	t.Parallel()
	var asked []bool
	f := &fake{limits: llm.EmbedLimits{ItemTokens: 20}, answer: func(_ context.Context, texts []string, truncate bool) (*llm.Embedded, error) {
		asked = append(asked, truncate)
		e := right(texts)
		e.Truncated = map[int]events.Truncation{1: {Tokens: 30, Used: 20}}
		return e, nil
	}}
	b := batch.New(f, batch.Options{})
	for _, g := range []batch.Group{{Tells: true, Truncate: true}, {Tells: true}} {
		items, err := b.Embed(t.Context(), "", g, texts(0, 3))
		require.NoError(t, err)
		require.Nil(t, items[0].Truncated)
		require.Equal(t, g.Truncate, items[1].Truncated != nil)
		require.Equal(t, g.Truncate, items[1].Err == nil)
	}
	require.Equal(t, []bool{true, false}, asked)
}

// TestCutByTheAdapter: what an adapter has cut is passed on, and refused where it was not permitted.
func TestCutByTheAdapter(t *testing.T) {
	t.Parallel()
	f := &fake{answer: func(_ context.Context, texts []string, _ bool) (*llm.Embedded, error) {
		e := right(texts)
		e.Tokens, e.PromptTokens = []int{900, 5, 0}, 138
		e.Truncated = map[int]events.Truncation{0: {Tokens: 900, Used: 128}}
		return e, nil
	}}
	b := batch.New(f, batch.Options{})
	items, err := b.Embed(t.Context(), "", batch.Group{Truncate: true}, texts(0, 3))
	require.NoError(t, err)
	require.Equal(t, &events.Truncation{Tokens: 900, Used: 128}, items[0].Truncated)
	require.Equal(t, []int{132, 6, 0}, []int{items[0].Tokens, items[1].Tokens, items[2].Tokens}, "by what was read of each")
	items, err = b.Embed(t.Context(), "", batch.Group{}, texts(0, 3))
	require.NoError(t, err)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(items[0].Err))
	require.Nil(t, items[0].Vector)
	require.NoError(t, items[1].Err)
}

// TestCallsThatBreakTheirWord: nobody is left waiting.
func TestCallsThatBreakTheirWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(texts []string) (*llm.Embedded, error)
		class  llm.Class
	}{
		"panic":   {func([]string) (*llm.Embedded, error) { panic("oh") }, llm.ClassProvider},
		"nothing": {func([]string) (*llm.Embedded, error) { return nil, nil }, llm.ClassAnswer}, //nolint:nilnil // that is the case
		"too few": {func(texts []string) (*llm.Embedded, error) { return right(texts[1:]), nil }, llm.ClassAnswer},
		"plain":   {func([]string) (*llm.Embedded, error) { return nil, errors.New("oh") }, llm.ClassAnswer},
		"overflow": {func(texts []string) (*llm.Embedded, error) {
			e := right(texts)
			e.PromptTokens = 1<<63 - 1
			return e, nil
		}, ""},
		"negative": {func(texts []string) (*llm.Embedded, error) {
			e := right(texts)
			e.PromptTokens = -5
			return e, nil
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{answer: func(_ context.Context, texts []string, _ bool) (*llm.Embedded, error) { return c.answer(texts) }}
			items, failed := ask(t, batch.New(f, batch.Options{}), texts(0, 5))
			if c.class == "" {
				require.Empty(t, failed)
				for _, item := range items {
					require.GreaterOrEqual(t, item.Tokens, 0)
				}
				return
			}
			require.Len(t, failed, 5)
			require.Equal(t, c.class, llm.FaultOf(items[0].Err).Class)
		})
	}
}

// TestSharesAddUp: to what each call used, whether it is known how many tokens each text has, or not.
func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	used := 0
	f := &fake{limits: llm.EmbedLimits{Items: 17}, answer: func(_ context.Context, texts []string, _ bool) (*llm.Embedded, error) {
		e := right(texts)
		e.PromptTokens = rnd.IntN(1000)
		used += e.PromptTokens
		if rnd.IntN(2) == 0 {
			for range texts {
				e.Tokens = append(e.Tokens, rnd.IntN(3)-1)
			}
		}
		return e, nil
	}}
	b := batch.New(f, batch.Options{InFlight: 1})
	for range 200 {
		items, failed := ask(t, b, texts(rnd.IntN(1000), 1+rnd.IntN(60)))
		require.Empty(t, failed)
		for _, item := range items {
			require.GreaterOrEqual(t, item.Tokens, 0)
			used -= item.Tokens
		}
		require.Zero(t, used)
	}
}
