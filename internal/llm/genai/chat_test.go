package genai_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// full is a request with all that the conventions know of.
const full = `{"model":"openai/gpt","n":2,"seed":7,"max_tokens":100,"temperature":0.5,"top_p":0.9,"stop":["END"],"frequency_penalty":0.1,
"presence_penalty":0.2,"top_k":40,"service_tier":"flex","response_format":{"type":"json_object"},"messages":[
{"role":"system","content":"be brief"},
{"role":"user","content":[{"type":"text","text":"what is this?"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}},
	{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"input_audio","input_audio":{"data":"AAAA"}}]},
{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}}]},
{"role":"tool","tool_call_id":"c1","content":"a cat"}],
"tools":[{"type":"function","function":{"name":"look","description":"looks","parameters":{"type":"object"}}}]}`

// answer is an answer with all that they know of.
func answer() *events.ChatResponse {
	return &events.ChatResponse{
		ID: "r-1", Model: "openai/gpt", ServiceTier: "flex", SystemFingerprint: "fp", Choices: []events.ChatChoice{
			{Message: events.ChatMessage{Role: "assistant", Content: events.TextContent("a cat"), ReasoningContent: "whiskers"}, FinishReason: "stop"},
			{Message: events.ChatMessage{Role: "assistant", ToolCalls: []events.ToolCall{{
				ID: "c2", Function: events.ToolFunction{Name: "look", Arguments: "not json"},
			}}}, FinishReason: "tool_calls"},
		},
	}
}

func usage() *events.ChatUsage {
	return &events.ChatUsage{
		PromptTokens: 100, CompletionTokens: 50, TotalTokens: 150,
		PromptTokensDetails:     &events.PromptTokensDetails{CachedTokens: 60, CacheWriteTokens: 20},
		CompletionTokensDetails: &events.CompletionTokensDetails{ReasoningTokens: 30},
	}
}

// about is an attempt at gpt of OpenAI.
func about() *genai.About {
	return &genai.About{
		Target: &genai.Target{Provider: "openai", Address: "api.openai.com", Port: 443, OpenAI: true},
		Name:   "openai/gpt", Model: "gpt", Number: 2, Place: 1, Why: genai.Retry, Began: time.Now(),
	}
}

// attempt makes an attempt that is answered.
func attempt(t *testing.T, s *genaitest.Spans, content bool, text string, res *events.ChatResponse) map[string]any {
	t.Helper()
	req, err := events.ParseChatRequest([]byte(text))
	require.NoError(t, err)
	_, c := s.Recorder(t, content).Chat(t.Context(), about(), &req, false)
	c.Answered("r-1", "gpt-2026")
	c.End(&genai.ChatEnd{Took: time.Second, Response: res, Usage: usage()})
	return genaitest.Attributes(s.Wait(t, "chat gpt", 1)[0])
}

func TestChatAttributes(t *testing.T) {
	t.Parallel()
	s := genaitest.New(t)
	require.Equal(t, map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt", "gen_ai.output.type": "json",
		"gen_ai.request.choice.count": int64(2), "gen_ai.request.seed": int64(7), "gen_ai.request.max_tokens": int64(100),
		"gen_ai.request.temperature": 0.5, "gen_ai.request.top_p": 0.9, "gen_ai.request.top_k": int64(40),
		"gen_ai.request.frequency_penalty": 0.1, "gen_ai.request.presence_penalty": 0.2,
		"gen_ai.response.id": "r-1", "gen_ai.response.model": "gpt-2026", "gen_ai.response.finish_reasons": []string{"stop", "tool_calls"},
		"gen_ai.usage.input_tokens": int64(100), "gen_ai.usage.output_tokens": int64(50), "gen_ai.usage.cache_read.input_tokens": int64(60),
		"gen_ai.usage.cache_creation.input_tokens": int64(20), "gen_ai.usage.reasoning.output_tokens": int64(30),
		"openai.api.type": "chat_completions", "openai.request.service_tier": "flex", "openai.response.service_tier": "flex",
		"openai.response.system_fingerprint": "fp", "server.address": "api.openai.com", "server.port": int64(443),
		"mlsdm.model": "openai/gpt", "mlsdm.attempt": int64(2), "mlsdm.attempt.target": int64(1), "mlsdm.attempt.why": "retry",
	}, attempt(t, s, false, full, answer()), "and nothing of the content, of which stop sequences are a part")
	require.Equal(t, trace.SpanKindClient, s.Named("chat gpt")[0].SpanKind())
}

// TestContentIsInTheFormOfTheConventions: it is recorded where it is asked for.
func TestContentIsInTheFormOfTheConventions(t *testing.T) {
	t.Parallel()
	all := attempt(t, genaitest.New(t), true, full, answer())
	for key, want := range map[string]string{
		"gen_ai.system_instructions": `[{"type":"text","content":"be brief"}]`,
		"gen_ai.input.messages": `[{"role":"user","parts":[{"type":"text","content":"what is this?"},
			{"type":"uri","modality":"image","uri":"https://example.com/a.png"},{"type":"blob","modality":"image","mime_type":"image/png"},{"type":"input_audio"}]},
			{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"look","arguments":{"at":1}}]},
			{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"a cat"}]}]`,
		"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"reasoning","content":"whiskers"},{"type":"text","content":"a cat"}],"finish_reason":"stop"},
			{"role":"assistant","parts":[{"type":"tool_call","id":"c2","name":"look","arguments":"not json"}],"finish_reason":"tool_calls"}]`,
		"gen_ai.tool.definitions": `[{"type":"function","name":"look","description":"looks","parameters":{"type":"object"}}]`,
	} {
		text, ok := all[key].(string)
		require.True(t, ok, key)
		require.JSONEq(t, want, text, key)
	}
	require.Equal(t, []string{"END"}, all["gen_ai.request.stop_sequences"])
}

// TestContentIsBounded: of a conversation that is too long, its end is recorded, as JSON.
func TestContentIsBounded(t *testing.T) {
	t.Parallel()
	long := make([]byte, 100<<10)
	for i := range long {
		long[i] = 'x'
	}
	text, err := json.Marshal(map[string]any{"messages": []map[string]string{
		{"role": "user", "content": string(long)}, {"role": "assistant", "content": string(long)}, {"role": "user", "content": "the end"},
	}})
	require.NoError(t, err)
	recorded, ok := attempt(t, genaitest.New(t), true, string(text), answer())["gen_ai.input.messages"].(string)
	require.True(t, ok)
	require.Less(t, len(recorded), 70<<10)
	var messages []struct {
		Role  string `json:"role"`
		Parts []struct {
			Content string `json:"content"`
		} `json:"parts"`
	}
	require.NoError(t, json.Unmarshal([]byte(recorded), &messages))
	require.Len(t, messages, 2)
	require.Equal(t, "the end", messages[1].Parts[0].Content)
	require.NotEmpty(t, messages[0].Parts[0].Content)
}

// TestStrangeRequests: nothing that a caller or a server says breaks a span.
func TestStrangeRequests(t *testing.T) {
	t.Parallel()
	res := &events.ChatResponse{Choices: make([]events.ChatChoice, 1000)}
	for i := range res.Choices {
		res.Choices[i].FinishReason = "a\nb"
	}
	all := attempt(t, genaitest.New(t), true, `{"prompt":"\u0000\ud83d\ude00","tools":{"not":"a list"},"top_k":"x","service_tier":5,"presence_penalty":null}`, res)
	require.NotContains(t, all, "gen_ai.request.top_k")
	require.NotContains(t, all, "openai.request.service_tier")
	require.NotContains(t, all, "gen_ai.request.presence_penalty")
	require.NotContains(t, all, "gen_ai.tool.definitions")
	reasons, ok := all["gen_ai.response.finish_reasons"].([]string)
	require.True(t, ok)
	require.Len(t, reasons, 128)
	require.Equal(t, "a b", reasons[0])
}

// TestNobodyLooks: without a tracer, or a recorder, nothing is recorded, and nothing breaks.
func TestNobodyLooks(t *testing.T) {
	t.Parallel()
	silent, err := genai.New(genai.Config{Tracer: noop.NewTracerProvider(), Content: true})
	require.NoError(t, err)
	for _, r := range []*genai.Recorder{nil, silent} {
		ctx, c := r.Chat(t.Context(), about(), &events.ChatRequest{Prompt: "x"}, true)
		require.Equal(t, t.Context(), ctx)
		c.Chunk(&events.ChatChunk{})
		c.End(&genai.ChatEnd{Fault: &llm.Fault{Class: llm.ClassNetwork, Err: events.Errorf(events.CodeUnavailable, "x")}})
		ctx, e := r.Embed(t.Context(), about(), &llm.EmbedCall{Texts: []string{"x"}})
		require.Equal(t, t.Context(), ctx)
		e.End(time.Second, nil, nil)
		carried, load := r.Carry(t.Context(), nil, false)
		require.Equal(t, t.Context(), carried)
		load.Done()
	}
}
