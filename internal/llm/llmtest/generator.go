package llmtest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// GenerateFeatures says what a generator under test can do.
type GenerateFeatures struct {
	// Model is a model of the generator.
	Model string
	// Refuses names the request fields that it cannot honour; it must answer unsupported and name them.
	Refuses []string
}

// RunGenerator runs the contract of [llm.Generator], and of [llm.Streamer] if g is one.
func RunGenerator(t *testing.T, f GenerateFeatures, g llm.Generator) {
	t.Helper()
	ask := func(text string) *events.ChatRequest { return &events.ChatRequest{Model: f.Model, Prompt: text} }

	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		for _, req := range []*events.ChatRequest{ask("hello there"), {Model: f.Model, Messages: []events.ChatMessage{
			{Role: events.RoleSystem, Content: events.TextContent("be brief")},
			{Role: events.RoleUser, Content: events.TextContent("hello there")},
		}}} {
			before := *req
			res, err := g.Generate(t.Context(), req)
			require.NoError(t, err)
			require.Equal(t, events.ObjectChatCompletion, res.Object)
			require.Positive(t, res.Created)
			require.Len(t, res.Choices, 1)
			require.Equal(t, events.RoleAssistant, res.Choices[0].Message.Role)
			require.NotEmpty(t, res.Choices[0].Message.Content.Text)
			require.Equal(t, events.FinishStop, res.Choices[0].FinishReason)
			require.Equal(t, res.Usage.PromptTokens+res.Usage.CompletionTokens, res.Usage.TotalTokens)
			require.Equal(t, before, *req, "the request is the caller's and stays as it was")
		}
	})
	t.Run("ended contexts", func(t *testing.T) {
		t.Parallel()
		checkEnded(t, func(ctx context.Context) error {
			_, err := g.Generate(ctx, ask("hello"))
			return err
		})
	})
	t.Run("refusals name the field", func(t *testing.T) {
		t.Parallel()
		for _, field := range f.Refuses {
			_, err := g.Generate(t.Context(), with(t, f.Model, field))
			require.Equal(t, events.CodeUnsupported, events.CodeOf(err), field)
			require.ErrorContains(t, err, field)
			require.False(t, events.AsError(err).Retryable)
		}
	})
	if s, ok := g.(llm.Streamer); ok {
		t.Run("stream", func(t *testing.T) { runStreamer(t, f, g, s) })
	}
}

// runStreamer checks streams against whole answers.
func runStreamer(t *testing.T, f GenerateFeatures, g llm.Generator, s llm.Streamer) {
	t.Helper()
	t.Parallel()
	req := &events.ChatRequest{Model: f.Model, Prompt: "one two  three\nfour", Stream: true}
	whole, err := g.Generate(t.Context(), req)
	require.NoError(t, err)

	t.Run("chunks are the answer", func(t *testing.T) {
		t.Parallel()
		var text strings.Builder
		finish, last := "", events.ChatChunk{}
		err := s.Stream(t.Context(), req, func(c events.ChatChunk) error {
			require.Equal(t, events.ObjectChatCompletionChunk, c.Object)
			require.NotNil(t, c.Choices)
			for _, choice := range c.Choices {
				text.WriteString(choice.Delta.Content)
				if choice.FinishReason != nil {
					finish = *choice.FinishReason
				}
			}
			last = c
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, whole.Choices[0].Message.Content.Text, text.String())
		require.Equal(t, whole.Choices[0].FinishReason, finish)
		require.Empty(t, last.Choices)
		require.Equal(t, whole.Usage, last.Usage)
	})
	t.Run("a reader that gives up", func(t *testing.T) {
		t.Parallel()
		enough, calls := errors.New("enough"), 0
		err := s.Stream(t.Context(), req, func(events.ChatChunk) error {
			calls++
			return enough
		})
		require.Equal(t, enough, err)
		require.Equal(t, 1, calls)
	})
	t.Run("ended contexts", func(t *testing.T) {
		t.Parallel()
		checkEnded(t, func(ctx context.Context) error {
			return s.Stream(ctx, req, func(events.ChatChunk) error { return nil })
		})
	})
}

// with makes a request that asks for what field does.
func with(t *testing.T, model, field string) *events.ChatRequest {
	t.Helper()
	req := &events.ChatRequest{Model: model, Prompt: "hello"}
	switch field {
	case "tools":
		req.Tools = json.RawMessage(`[{"type":"function","function":{"name":"f"}}]`)
	case "tool_choice":
		req.ToolChoice = json.RawMessage(`"required"`)
	case "response_format":
		req.ResponseFormat = json.RawMessage(`{"type":"json_schema","json_schema":{"name":"a","schema":{}}}`)
	case "n":
		two := 2
		req.N = &two
	case "content":
		req.Prompt = ""
		require.NoError(t, json.Unmarshal([]byte(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]`), &req.Messages))
	default:
		req.Extra = map[string]json.RawMessage{field: json.RawMessage(`true`)}
	}
	return req
}
