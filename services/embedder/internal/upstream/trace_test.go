package upstream_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

// watched is an upstream whose attempts are recorded.
func watched(t *testing.T, f *fake, names ...string) (*genaitest.Spans, *genai.Recorder, *upstream.Upstream) {
	t.Helper()
	s := genaitest.New(t)
	r := s.Recorder(t, false)
	return s, r, newUpstream(t, f, keys(names...), func(o *upstream.Options) {
		o.GenAI, o.Timeout = r, time.Minute
		o.Target = &genai.Target{Provider: "cohere", Address: "api.cohere.com", Port: 443, Formats: []string{"float"}}
	})
}

func TestSpansOfAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.on("", network(), status(http.StatusUnauthorized), answers)
		s, r, u := watched(t, f, "k1", "k2")
		ctx, _ := r.Carry(t.Context(), []context.Context{t.Context()}, false)
		require.NoError(t, ask(ctx, u, "m"))
		spans := s.Wait(t, "embeddings m", 3)
		for i, values := range genaitest.Values(spans, "mlsdm.attempt", "mlsdm.attempt.why", "error.type") {
			require.Equal(t, int64(i+1), values[0])
			require.Equal(t, []any{"network", "key", nil}[i], values[2])
		}
		require.Equal(t, "next_key", genaitest.Attributes(spans[2])["mlsdm.attempt.why"])
		all := genaitest.Attributes(spans[2])
		require.Equal(t, []any{"embeddings", "cohere", "m", []string{"float"}, int64(1), int64(1), "api.cohere.com", int64(443), "a/m"}, []any{
			all["gen_ai.operation.name"], all["gen_ai.provider.name"], all["gen_ai.request.model"], all["gen_ai.request.encoding_formats"],
			all["gen_ai.embeddings.dimension.count"], all["gen_ai.usage.input_tokens"], all["server.address"], all["server.port"], all["mlsdm.model"],
		})
	})
}

// TestHowAttemptsEnd: who has ended an attempt is to be seen.
func TestHowAttemptsEnd(t *testing.T) {
	t.Parallel()
	for kind, within := range map[string]time.Duration{"timeout": time.Hour, "deadline_exceeded": time.Second} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.on("", takes(2*time.Hour))
				s, _, u := watched(t, f)
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				require.Error(t, ask(ctx, u, "m"))
				require.Equal(t, kind, genaitest.Attributes(s.Named("embeddings m")[0])["error.type"])
			})
		})
	}
}

// TestAPanicEndsTheSpan: whoever looks for it finds it.
func TestAPanicEndsTheSpan(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.on("", func(context.Context, *llm.EmbedCall) (*llm.Embedded, error) { panic("oops") })
	s, _, u := watched(t, f)
	require.Panics(t, func() { _ = ask(t.Context(), u, "m") })
	require.Equal(t, "panic", genaitest.Attributes(s.Wait(t, "embeddings m", 1)[0])["error.type"])
}
