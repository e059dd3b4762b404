package genai_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestProvidersHaveTheNamesOfTheConventions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		protocol vendors.Protocol
		url      string
		want     genai.Target
	}{
		{"openai", vendors.OpenAI, vendors.OpenAIBaseURL, genai.Target{Provider: "openai", Address: "api.openai.com", Port: 443, OpenAI: true}},
		{"our-own-name", vendors.OpenAI, "https://api.groq.com/openai/v1", genai.Target{Provider: "groq", Address: "api.groq.com", Port: 443, OpenAI: true}},
		{"mistral", vendors.OpenAI, "http://proxy:8080/v1", genai.Target{Provider: "mistral_ai", Address: "proxy", Port: 8080, OpenAI: true}},
		{
			"gemini", vendors.OpenAI, "https://generativelanguage.googleapis.com/v1beta/openai",
			genai.Target{Provider: "gcp.gemini", Address: "generativelanguage.googleapis.com", Port: 443, OpenAI: true},
		},
		{"x", vendors.OpenAI, "https://api.x.ai/v1", genai.Target{Provider: "x_ai", Address: "api.x.ai", Port: 443, OpenAI: true}},
		{"vllm", vendors.OpenAI, "http://localhost:8000/v1", genai.Target{Provider: "vllm", Address: "localhost", Port: 8000, OpenAI: true}},
		{"a", vendors.OpenAI, "http://[::1]/v1", genai.Target{Provider: "openai", Address: "::1", Port: 80, OpenAI: true}},
		{"a", vendors.Azure, "https://us.openai.azure.com/openai", genai.Target{Provider: "azure.ai.openai", Address: "us.openai.azure.com", Port: 443, OpenAI: true}},
		{"a", vendors.Anthropic, "https://api.anthropic.com", genai.Target{Provider: "anthropic", Address: "api.anthropic.com", Port: 443}},
		{"a", vendors.Ollama, "http://localhost:11434", genai.Target{Provider: "ollama", Address: "localhost", Port: 11434}},
		{"local", vendors.Local, "", genai.Target{Provider: "local", Local: true}},
	} {
		require.Equal(t, c.want, *genai.TargetOf(&providers.Provider{Name: c.name, Protocol: c.protocol, BaseURL: c.url}, vendors.Chat), c.url)
	}
}

// TestAModelInTheProcess: its span is an internal one, of no server.
func TestAModelInTheProcess(t *testing.T) {
	t.Parallel()
	s := genaitest.New(t)
	a := &genai.About{Target: &genai.Target{Provider: "local", Local: true}, Name: "local/hash", Model: "hash", Number: 1, Place: 1, Why: genai.First, Began: time.Now()}
	_, e := s.Recorder(t, false).Embed(t.Context(), a, &llm.EmbedCall{Texts: []string{"a", "b"}, Dimensions: 2})
	e.End(time.Second, &llm.Embedded{Vectors: [][]float32{{1, 0}, {0, 1}}, PromptTokens: 5}, nil)
	span := s.Wait(t, "embeddings hash", 1)[0]
	require.Equal(t, trace.SpanKindInternal, span.SpanKind())
	require.Equal(t, map[string]any{
		"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "local", "gen_ai.request.model": "hash",
		"gen_ai.embeddings.dimension.count": int64(2), "gen_ai.usage.input_tokens": int64(5), "mlsdm.batch.texts": int64(2),
		"mlsdm.model": "local/hash", "mlsdm.attempt": int64(1), "mlsdm.attempt.target": int64(1), "mlsdm.attempt.why": "first",
	}, genaitest.Attributes(span))
}

// TestLongNamesOfModels: a caller may ask for anything.
func TestLongNamesOfModels(t *testing.T) {
	t.Parallel()
	s := genaitest.New(t)
	a := about()
	for range 1000 {
		a.Model += "é"
	}
	_, c := s.Recorder(t, false).Chat(t.Context(), a, &events.ChatRequest{Prompt: "x"}, false)
	c.End(&genai.ChatEnd{})
}
