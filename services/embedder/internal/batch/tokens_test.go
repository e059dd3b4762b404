package batch_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
)

// vectorsOf answers each text with how many token ids it has.
func vectorsOf(_ context.Context, texts []string, _ bool) (*llm.Embedded, error) {
	e := &llm.Embedded{}
	for _, s := range texts {
		n, _ := tokenids.Count(s)
		e.Vectors = append(e.Vectors, []float32{float32(n) + 1})
		e.PromptTokens += n
	}
	return e, nil
}

// ofIDs is the group of token ids.
func ofIDs() batch.Group { return batch.Group{Model: "m", Tokens: true} }

// TestTokenIDsAreCounted: a call holds as many as it may, exactly, and each text pays for its own.
func TestTokenIDsAreCounted(t *testing.T) {
	t.Parallel()
	f := &fake{limits: llm.EmbedLimits{Tokens: 10}, answer: vectorsOf}
	b := batch.New(f, batch.Options{InFlight: 1})
	list := tokenids.PackAll([][]int32{{1, 2, 3, 4}, {1, 2, 3, 4, 5, 6}, {9}, {1, 2, 3, 4}})
	items, err := b.Embed(t.Context(), "", ofIDs(), list)
	require.NoError(t, err)
	require.Equal(t, [][]string{list[:2], list[2:3]}, f.calls, "ten at once, and what is the same once")
	require.Equal(t, []int{4, 6, 1, 0}, []int{items[0].Tokens, items[1].Tokens, items[2].Tokens, items[3].Tokens})
	require.Equal(t, items[0].Vector, items[3].Vector)
}

// TestTokenIDsAndTextsShareNoCall: no provider takes both at once.
func TestTokenIDsAndTextsShareNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Second, answer: vectorsOf}
		b := batch.New(f, batch.Options{})
		var all sync.WaitGroup
		for range 3 {
			for group, text := range map[batch.Group]string{{Model: "m"}: "a", ofIDs(): tokenids.Pack([]int32{1, 2})} {
				all.Go(func() {
					if _, err := b.Embed(t.Context(), "", group, []string{text}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		for _, call := range f.calls {
			_, first := tokenids.Count(call[0])
			for _, text := range call {
				_, ids := tokenids.Count(text)
				require.Equal(t, first, ids)
			}
		}
	})
}

// TestTokenIDsThatAreQuoted by what is said of a call are not told to others whose texts are in it.
func TestTokenIDsThatAreQuoted(t *testing.T) {
	t.Parallel()
	for said, quoted := range map[string]bool{
		"token id 50123 is out of range": true, "[7, 50123]": true, "50123": true,
		"overloaded": false, "at most 8192 tokens": false, "501230 is too much": false,
	} {
		t.Run(said, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{takes: time.Second, answer: func(context.Context, []string, bool) (*llm.Embedded, error) {
					return nil, &llm.Fault{Class: llm.ClassProvider, Err: events.Errorf(events.CodeUnavailable, "%s", said)}
				}}
				b := batch.New(f, batch.Options{InFlight: 1})
				var all sync.WaitGroup
				var bob []batch.Item
				for i, ids := range [][]int32{{1}, {7, 50123}, {2}} { // while the first is under way, the others wait for each other
					all.Go(func() {
						got, err := b.Embed(t.Context(), strconv.Itoa(i), ofIDs(), []string{tokenids.Pack(ids)})
						if err != nil {
							t.Error(err)
						}
						if i == 2 {
							bob = got
						}
					})
					synctest.Wait()
				}
				all.Wait()
				require.Len(t, f.calls, 2)
				if quoted {
					require.NotContains(t, bob[0].Err.Error(), "50123")
				} else {
					require.ErrorContains(t, bob[0].Err, said)
				}
			})
		})
	}
}

// TestLongTokenIDsAreLookedForFirst: it is known exactly which texts are longer than the model reads.
func TestLongTokenIDsAreLookedForFirst(t *testing.T) {
	t.Parallel()
	long := make([]int32, 11)
	f := &fake{limits: llm.EmbedLimits{ItemTokens: 10}}
	f.answer = func(ctx context.Context, texts []string, truncate bool) (*llm.Embedded, error) {
		for _, s := range texts {
			if n, _ := tokenids.Count(s); n > 10 {
				return nil, fault(llm.ClassUnsupported, events.CodeInvalidArgument)
			}
		}
		return vectorsOf(ctx, texts, truncate)
	}
	list := tokenids.PackAll([][]int32{{1}, long, {2, 3}, make([]int32, 10), {4}, {5}, {6}})
	items, err := batch.New(f, batch.Options{}).Embed(t.Context(), "", ofIDs(), list)
	require.NoError(t, err)
	for i, item := range items {
		require.Equal(t, i == 1, item.Err != nil, "text %d: %v", i, item.Err)
	}
	require.Equal(t, 3, f.made(), "all; the short ones; the long one")
}
