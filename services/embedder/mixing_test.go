package embedder_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// twoServers have one model, by two protocols, and another model may stand in for it.
const twoServers = `
default_model: bge
providers:
  first: {protocol: tei, base_url: "$first", retries: 0}
  second: {protocol: openai, base_url: "$second/v1", retries: 0}
  third: {protocol: openai, base_url: "$third/v1", retries: 0}
models:
  bge: {targets: [first/m, second/m], space: BAAI/bge-m3, other_space: third/other}
`

// TestNothingButTheSameSpace: whoever serves the model, and whatever fails.
func TestNothingButTheSameSpace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model(t, "third").becomes(4)
	r.start(t, twoServers)
	first, second, third := r.model(t, "first"), r.model(t, "second"), r.model(t, "third")
	want := &events.EmbeddingSpace{ID: "BAAI/bge-m3/8", Model: "BAAI/bge-m3", Dimensions: 8, Normalized: true}

	res := r.embed(t, "", []string{"a"})
	require.Equal(t, want, res.Space)
	require.Equal(t, "bge", res.Model)
	require.Equal(t, "first/m", r.Processed(t).AnsweredBy)

	first.fail(http.StatusServiceUnavailable)
	res = r.embed(t, "bge", []string{"b"})
	require.Equal(t, want, res.Space)
	require.Equal(t, normal("b", 8), res.Data[0].Embedding.Values)
	require.Equal(t, "second/m", r.Processed(t).AnsweredBy)

	second.fail(http.StatusBadGateway)
	failure := r.refused(t, "bge", []string{"c"})
	require.Equal(t, events.CodeUnavailable, failure.Code)
	require.True(t, failure.Retryable)
	require.Equal(t, events.CodeUnavailable, r.Processed(t).Code)
	require.Empty(t, third.requests(), "nobody has permitted another space")

	res = r.embed(t, "bge", []string{"a", "c"}, "allow_other_space", true)
	require.Equal(t, &events.EmbeddingSpace{ID: "third/other/4", Model: "third/other", Dimensions: 4, Normalized: true}, res.Space)
	require.Equal(t, "third/other", res.Model)
	require.Equal(t, normals([]string{"a", "c"}, 4), vectors(res), "all of one reply lie in one space, also what was known of the first")
	told := r.Processed(t)
	require.Equal(t, "bge", told.Model)
	require.Equal(t, "third/other", told.AnsweredBy)

	res = r.embed(t, "bge", []string{"a", "b"}, "allow_other_space", true)
	require.Equal(t, want, res.Space, "all of it is known")

	first.answer(nil)
	res = r.embed(t, "bge", []string{"a", "b", "c"})
	require.Equal(t, want, res.Space)
	require.Equal(t, normals([]string{"a", "b", "c"}, 8), vectors(res), "nothing of the other model is kept under the name of this one")
	require.Equal(t, []string{"c"}, first.last().Texts)
}

// TestWhatPassesIsTold: that the second has lost its key does not make the first one's limit final.
func TestWhatPassesIsTold(t *testing.T) {
	t.Parallel()
	r := serve(t, twoServers)
	r.model(t, "first").answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		w.Header().Set("Retry-After", "300")
		refuse(w, a, http.StatusTooManyRequests, "Model is overloaded")
		return true
	})
	r.model(t, "second").fail(http.StatusUnauthorized)
	failure := r.refused(t, "bge", []string{"a", "b"})
	require.Equal(t, "first", failure.Provider)
	require.True(t, failure.Retryable)
	require.InDelta(t, 5*time.Minute, failure.RetryAfter, float64(time.Minute))
}

// TestASlowProviderIsNoFaultOfTheText: another model may answer, if that is permitted.
func TestASlowProviderIsNoFaultOfTheText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(t, `
providers:
  slow: {protocol: openai, base_url: "$slow/v1", retries: 0, timeout: 50ms}
  quick: {protocol: openai, base_url: "$quick/v1"}
models:
  m: {targets: [slow/m], other_space: quick/m}
`)
	r.model(t, "slow").answer(func(_ http.ResponseWriter, req *http.Request, _ asked) bool {
		<-req.Context().Done()
		return true
	})
	require.Equal(t, events.CodeDeadlineExceeded, r.refused(t, "m", []string{"a"}).Code)
	require.Equal(t, "quick/m", r.embed(t, "m", []string{"a"}, "allow_other_space", true).Model)
}

// TestTheSecondHasAnotherModel behind the same name: its vectors are refused, whatever the first does.
func TestTheSecondHasAnotherModel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model(t, "second").becomes(16)
	r.start(t, twoServers)
	r.embed(t, "bge", []string{"a"})
	r.model(t, "first").fail(http.StatusServiceUnavailable)
	res := r.embed(t, "bge", []string{"a", "b"})
	require.Equal(t, 1, res.Failed)
	require.Len(t, res.Data[0].Embedding.Values, 8)
	require.Empty(t, res.Data[1].Embedding.Values)
	require.NotNil(t, res.Data[1].Error)
	r.model(t, "first").answer(nil)
	require.Equal(t, normals([]string{"a", "b"}, 8), vectors(r.embed(t, "bge", []string{"a", "b"})))
}

// TestTheLengthThatIsSaid in the configuration is the only one that is answered, also by who says it in the request.
func TestTheLengthThatIsSaid(t *testing.T) {
	t.Parallel()
	r := serve(t, `
providers: {p: {protocol: openai, base_url: "$p/v1"}}
models: {p/m: {dimensions: 16}}
`)
	for _, fields := range [][]any{nil, {"dimensions", 16}} {
		failure := r.refused(t, "p/m", []string{"a"}, fields...)
		require.Equal(t, events.CodeFailedPrecondition, failure.Code)
		require.Contains(t, failure.Message, "dimensions: 8")
	}
	r.model(t, "p").becomes(16)
	require.Equal(t, normal("a", 16), r.embed(t, "p/m", []string{"a"}).Data[0].Embedding.Values)
}

// TestTheLengthThatIsSaidLater holds good for what was kept before, too.
func TestTheLengthThatIsSaidLater(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	settings := map[string]string{"REDIS_HOST": redis.Host(), "REDIS_PORT": redis.Port()}
	r := newRig(t)
	stop := r.start(t, `providers: {p: {protocol: tei, base_url: "$p"}}`, settings)
	r.embed(t, "p/m", []string{"a"})
	stop()
	require.NotEmpty(t, redis.Keys())
	r.start(t, `{providers: {p: {protocol: tei, base_url: "$p"}}, models: {p/m: {dimensions: 16}}}`, settings)
	require.Equal(t, events.CodeFailedPrecondition, r.refused(t, "p/m", []string{"a"}, "dimensions", 16).Code)
	require.Equal(t, events.CodeFailedPrecondition, r.refused(t, "p/m", []string{"a"}).Code)
}

// TestPiecesOfAnotherModel: vectors that were cut are of the same length, whatever they were cut from. They are not found again when the
// operator has agreed to another model.
func TestPiecesOfAnotherModel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(t, `
providers: {p: {protocol: ollama, base_url: "$p"}}
models: {p/m: {matryoshka: true}}
`)
	p := r.model(t, "p")
	old := func() []float32 { return r.embed(t, "p/m", []string{"a"}, "dimensions", 4).Data[0].Embedding.Values }
	r.embed(t, "p/m", []string{"pins it"})
	require.Eventually(t, func() bool { // until the length is known here, too
		before := len(p.requests())
		old()
		return len(p.requests()) == before
	}, doortest.Patience, time.Millisecond)
	before := old()
	p.answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		list := make([][]float32, len(a.Texts))
		for i, text := range a.Texts {
			list[i] = llmtest.Vector("anew "+text, 16)
		}
		reply(w, map[string]any{"embeddings": list})
		return true
	})
	require.Equal(t, events.CodeFailedPrecondition, r.refused(t, "p/m", []string{"b"}, "dimensions", 4).Code)
	require.Equal(t, before, old(), "the old model is still the one that is agreed to")
	r.accept(t, "p/m", 16)
	require.Eventually(t, func() bool {
		res := r.embed(t, "p/m", []string{"a", "b"}, "dimensions", 4)
		return res.Failed == 0
	}, doortest.Patience, time.Millisecond)
	require.NotEqual(t, before, old())
}

// TestWhatChangesVectorsIsInTheKey: what was kept is not found again when it would come out differently now.
func TestWhatChangesVectorsIsInTheKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after string }{
		"prefix": {
			`{p: {protocol: tei, base_url: "$p"}}, models: {m: {targets: [p/m], space: s, prefixes: {query: "q: "}}}`,
			`{p: {protocol: tei, base_url: "$p"}}, models: {m: {targets: [p/m], space: s, prefixes: {query: "query: "}}}`,
		},
		"pooling": {
			`{p: {protocol: huggingface, base_url: "$p/v1"}}, models: {m: {targets: [p/m], space: s, pooling: cls}}`,
			`{p: {protocol: huggingface, base_url: "$p/v1"}}, models: {m: {targets: [p/m], space: s, pooling: mean}}`,
		},
		"prompt": {
			`{p: {protocol: tei, base_url: "$p", options: {prompt_query: q}}}, models: {m: {targets: [p/m], space: s}}`,
			`{p: {protocol: tei, base_url: "$p", options: {prompt_query: query}}}, models: {m: {targets: [p/m], space: s}}`,
		},
		"normalize": {
			`{p: {protocol: tei, base_url: "$p"}}, models: {m: {targets: [p/m], space: s}}`,
			`{p: {protocol: tei, base_url: "$p"}}, models: {m: {targets: [p/m], space: s, normalize: false}}`,
		},
		"address": {
			`{p: {protocol: tei, base_url: "$p"}}, models: {m: {targets: [p/m]}}`,
			`{p: {protocol: tei, base_url: "$p/"}}, models: {m: {targets: [p/m], revision: "2"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := miniredis.RunT(t)
			settings := map[string]string{"REDIS_HOST": redis.Host(), "REDIS_PORT": redis.Port()}
			r := newRig(t)
			for i, file := range []string{c.before, c.before, c.after} {
				stop := r.start(t, "{providers: "+file+"}", settings)
				r.embed(t, "m", []string{"a"}, "input_type", "query")
				stop()
				require.Len(t, r.model(t, "p").requests(), []int{1, 1, 2}[i])
			}
		})
	}
}
