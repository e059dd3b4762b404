package embedder_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder"
)

// numbered are n texts.
func numbered(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = "text " + strconv.Itoa(i)
	}
	return texts
}

// toCohere is a server that takes 96 texts at once, and refuses more as Cohere does.
func toCohere(t *testing.T) (*rig, *model) {
	t.Helper()
	r := serve(t, `providers: {cohere: {base_url: "$cohere/v2", keys: ["$key"]}}`)
	m := r.model(t, "cohere")
	m.answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		if len(a.Texts) <= 96 {
			return false
		}
		refuse(w, a, http.StatusBadRequest, "invalid request: total number of texts must be at most 96")
		return true
	})
	return r, m
}

// TestMoreTextsThanACallTakes, on both doors: as few calls as can be, and everything in order.
func TestMoreTextsThanACallTakes(t *testing.T) {
	t.Parallel()
	t.Run("interactive", func(t *testing.T) {
		t.Parallel()
		r, m := toCohere(t)
		texts := numbered(2000)
		require.Equal(t, normals(texts, 8), vectors(r.embed(t, "cohere/m", texts)))
		require.Len(t, m.requests(), 21)
	})
	t.Run("durable", func(t *testing.T) {
		t.Parallel()
		r, m := toCohere(t)
		texts := numbered(10_000)
		r.Publish(t, durable, "r", body(t, "cohere/m", texts, "encoding_format", "base64"))
		res := response(t, r.Results().Next(t))
		require.Len(t, m.requests(), 105)
		require.Equal(t, "cohere/m/8", res.Space.ID)
		require.Equal(t, 3*len(texts), res.Usage.PromptTokens)
		require.NotNil(t, res.Vectors)
		connected, err := client.Connect(t.Context(), r.Server.URL())
		require.NoError(t, err)
		t.Cleanup(connected.Close)
		rows := connected.Vectors(&res)
		for _, text := range texts {
			row, err := rows.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, normal(text, 8), row)
		}
		_, err = rows.Next(t.Context())
		require.ErrorIs(t, err, io.EOF)
	})
}

// TestManyWhoAskAtOnce share calls: the first is on its way at once, and all who come meanwhile are in the second.
func TestManyWhoAskAtOnce(t *testing.T) {
	t.Parallel()
	const clients = 64
	r := newRig(t)
	file := r.write(t, fmt.Sprintf(`
providers: {p: {protocol: openai, base_url: "$p/v1"}}
models: {p/m: {max_items: %d}}
`, clients-1))
	var cfg embedder.Config
	_, err := config.Load(&cfg, config.Options{Name: "embedder", Lookup: lookup(map[string]string{
		"EMBEDDER_CONFIG": file, "EMBEDDER_WORKERS": strconv.Itoa(clients),
	})})
	require.NoError(t, err)
	e, err := embedder.Patient(cfg, service.Deps{
		Name: "embedder", Version: "1.0.0", Bus: r.Server.Connect(t, "embedder"), Logger: bustest.Logger(t), DrainTimeout: 5 * time.Second,
	}, time.Hour)
	require.NoError(t, err, "it needs nobody to count and to look after it")
	r.Run(t, "embedder", e)
	second := make(chan struct{})
	var once sync.Once
	r.model(t, "p").answer(func(_ http.ResponseWriter, req *http.Request, a asked) bool {
		if len(a.Texts) > 1 {
			once.Do(func() { close(second) })
		}
		select {
		case <-second:
		case <-req.Context().Done():
		}
		return false
	})
	connected, err := client.Connect(t.Context(), r.Server.URL())
	require.NoError(t, err)
	t.Cleanup(connected.Close)
	var all sync.WaitGroup
	for i, text := range numbered(clients) {
		all.Go(func() {
			res, err := connected.Embed(t.Context(), events.EmbeddingsRequest{Model: "p/m", Input: events.TextInput{text}})
			if err != nil || !slices.Equal(normal(text, 8), res.Data[0].Embedding.Values) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	require.Len(t, r.model(t, "p").requests(), 2)
}

// TestOnePoisonedText of 96 is an error; 95 have their vectors.
func TestOnePoisonedText(t *testing.T) {
	t.Parallel()
	r, m := toCohere(t)
	texts := numbered(96)
	texts[40] = "poison"
	m.answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		if !slices.Contains(a.Texts, "poison") {
			return false
		}
		refuse(w, a, http.StatusBadRequest, "invalid request: a text is not to our taste")
		return true
	})
	res := r.embed(t, "cohere/m", texts)
	require.Equal(t, 1, res.Failed)
	for i, text := range texts {
		if text == "poison" {
			require.Equal(t, events.CodeInvalidArgument, res.Data[i].Error.Code)
			require.Contains(t, res.Data[i].Error.Message, "taste")
			require.Empty(t, res.Data[i].Embedding.Values)
			continue
		}
		require.Nil(t, res.Data[i].Error)
		require.Equal(t, normal(text, 8), res.Data[i].Embedding.Values)
	}
}

// TestADurableRequestIsNotAnsweredByHalf because the provider fails for a moment: it is worked on until all texts have what they can have.
func TestADurableRequestIsNotAnsweredByHalf(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {p: {protocol: openai, base_url: "$p/v1", retries: 0}}`)
	r.embed(t, "p/m", []string{"known"})
	p := r.model(t, "p")
	var once sync.Once
	p.answer(func(w http.ResponseWriter, _ *http.Request, _ asked) (failed bool) {
		once.Do(func() {
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		return failed
	})
	r.Publish(t, durable, "r", body(t, "p/m", []string{"known", "new"}))
	res := response(t, r.Results().Next(t))
	require.Zero(t, res.Failed)
	require.Equal(t, normals([]string{"known", "new"}, 8), vectors(res))
	require.Len(t, p.requests(), 3)
}

// TestVectorsThatNoMessageHolds are not paid for, as soon as it is known how long they are.
func TestVectorsThatNoMessageHolds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model(t, "p").becomes(8192)
	r.start(t, `providers: {p: {protocol: openai, base_url: "$p/v1"}}`)
	require.Regexp(t, `about \d+ texts of this model fit, or about twice as many`, r.refused(t, "p/m", numbered(110)).Message)
	require.Len(t, r.model(t, "p").requests(), 1, "nobody knew")
	for _, format := range []string{events.EncodingFloat, events.EncodingBase64} {
		require.Eventually(t, func() bool {
			before := len(r.model(t, "p").requests())
			failure := r.refused(t, "p/m", numbered(1000), "encoding_format", format)
			require.Contains(t, failure.Message, "texts of this model fit")
			return len(r.model(t, "p").requests()) == before
		}, doortest.Patience, time.Millisecond)
	}
	texts := numbered(20) // of which two million bytes are written
	r.Publish(t, durable, "r", body(t, "p/m", texts))
	res := response(t, r.Results().Next(t))
	require.Equal(t, normals(texts, 8192), vectors(res))
}

// TestWhatNobodyCanDo ends a large request at once: the rest of its texts would fail as well.
func TestWhatNobodyCanDo(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {p: {protocol: ollama, base_url: "$p"}}`) // which takes no notice of dimensions
	r.Publish(t, durable, "r", body(t, "p/m", numbered(20_000), "dimensions", 4))
	failure := r.Results().Next(t).Err()
	require.NotNil(t, failure)
	require.Equal(t, events.CodeUnsupported, failure.Code)
	require.Contains(t, failure.Message, "asked for 4 dimensions")
	require.Less(t, len(r.model(t, "p").requests()), 10)
}
