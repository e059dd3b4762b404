// Package llmtest is the contract of package llm as tests that every adapter runs, and a server that speaks OpenAI's
// protocol, well or badly, for adapters and services to talk to.
package llmtest

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// EmbedFeatures says what an embedder under test can do.
type EmbedFeatures struct {
	// Model is a model of the embedder.
	Model string
	// Dimensions is the length of its vectors.
	Dimensions int
	// Shortens is set when it can make shorter vectors; one that cannot must refuse.
	Shortens bool
}

// RunEmbedder runs the contract of [llm.Embedder].
func RunEmbedder(t *testing.T, f EmbedFeatures, e llm.Embedder) {
	t.Helper()
	texts := []string{"the quick brown fox", "a", "naïve café", "日本語のテキスト", "!?", strings.Repeat("long ", 500)}

	t.Run("vectors in the order of the texts", func(t *testing.T) {
		t.Parallel()
		all, err := e.Embed(t.Context(), llm.EmbedRequest{Model: f.Model, Texts: texts})
		require.NoError(t, err)
		require.Len(t, all.Vectors, len(texts))
		require.Positive(t, all.PromptTokens)
		for i, text := range texts {
			require.Len(t, all.Vectors[i], f.Dimensions)
			one, err := e.Embed(t.Context(), llm.EmbedRequest{Model: f.Model, Texts: []string{text}})
			require.NoError(t, err)
			require.InDeltaSlice(t, one.Vectors[0], all.Vectors[i], 1e-6, "text %d", i)
		}
	})
	t.Run("vectors have a direction", func(t *testing.T) {
		t.Parallel()
		res, err := e.Embed(t.Context(), llm.EmbedRequest{Model: f.Model, Texts: texts})
		require.NoError(t, err)
		for _, v := range res.Vectors {
			sum := 0.0
			for _, x := range v {
				require.False(t, math.IsNaN(float64(x)) || math.IsInf(float64(x), 0))
				sum += float64(x) * float64(x)
			}
			require.Positive(t, sum)
		}
	})
	t.Run("dimensions", func(t *testing.T) {
		t.Parallel()
		res, err := e.Embed(t.Context(), llm.EmbedRequest{Model: f.Model, Texts: texts[:1], Dimensions: f.Dimensions / 2})
		if !f.Shortens {
			require.Equal(t, events.CodeUnsupported, events.CodeOf(err))
			require.ErrorContains(t, err, "dimensions")
			return
		}
		require.NoError(t, err)
		require.Len(t, res.Vectors[0], f.Dimensions/2)
	})
	t.Run("ended contexts", func(t *testing.T) {
		t.Parallel()
		checkEnded(t, func(ctx context.Context) error {
			_, err := e.Embed(ctx, llm.EmbedRequest{Model: f.Model, Texts: texts})
			return err
		})
	})
	t.Run("concurrent use", func(t *testing.T) {
		t.Parallel()
		var group sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			group.Go(func() { _, errs[i] = e.Embed(t.Context(), llm.EmbedRequest{Model: f.Model, Texts: texts}) })
		}
		group.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
	})
}
