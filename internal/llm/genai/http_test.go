package genai_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
)

// TestWhoHearsOfTraces: a server gets traceparent only if its provider's options say so.
func TestWhoHearsOfTraces(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	heard := make(map[string]string)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		heard[r.URL.Path] = r.Header.Get("Traceparent")
	}))
	t.Cleanup(server.Close)
	s := genaitest.New(t)
	client := llm.NewHTTPClient()
	t.Cleanup(client.CloseIdleConnections)
	by := genai.NewClients(client, s.Provider)
	ctx, span := s.Provider.Tracer("test").Start(t.Context(), "chat x")
	for path, options := range map[string]map[string]string{
		"/vendor": nil, "/no": {"trace_context": "false"}, "/own": {"trace_context": "true"},
		"/deployments/gpt-4/chat": nil, "/models/org/name/pipeline/feature-extraction": nil,
	} {
		o := providers.NewOptions(options)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, http.NoBody)
		require.NoError(t, err)
		res, err := by.Of(o).Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.NoError(t, o.Err())
	}
	span.End()
	for _, name := range []string{
		"POST /vendor", "POST /no", "POST /own", "POST /deployments/{deployment}/chat", "POST /models/{model}/pipeline/feature-extraction",
	} {
		require.Equal(t, span.SpanContext().SpanID(), s.Wait(t, name, 1)[0].Parent().SpanID(), name)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Empty(t, heard["/vendor"])
	require.Empty(t, heard["/no"])
	require.Contains(t, heard["/own"], span.SpanContext().TraceID().String())
}

// TestClientsOfNobody: where nobody looks, requests are sent as they are.
func TestClientsOfNobody(t *testing.T) {
	t.Parallel()
	client := llm.NewHTTPClient()
	require.Same(t, client, genai.NewClients(client, noop.NewTracerProvider()).Quiet)
	require.Same(t, client, genai.NewClients(client, nil).Of(providers.NewOptions(map[string]string{"trace_context": "true"})))
}
