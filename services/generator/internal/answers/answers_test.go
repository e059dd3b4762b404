package answers_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/answers"
)

func parse(t *testing.T, body string) *events.ChatRequest {
	t.Helper()
	r, err := events.ParseChatRequest([]byte(body))
	require.NoError(t, err)
	return &r
}

func keyOf(t *testing.T, caller, model, body string) answers.Key {
	t.Helper()
	key, err := answers.KeyOf(caller, model, parse(t, body))
	require.NoError(t, err)
	return key
}

const asked = `{"model":"m","messages":[{"role":"user","content":"why?"}],"temperature":0.5,"seed":9007199254740993,"x":{"b":1,"a":[1.0,2]}}`

// Only the same question of the same caller has the same key.
func TestKey(t *testing.T) {
	t.Parallel()
	key := keyOf(t, "alice", "openai/m", asked)
	require.True(t, strings.HasPrefix(string(key), "v1:alice:"))
	require.NotContains(t, string(key), "why")
	for name, same := range map[string]string{
		"order and space":     `{"x":{"a":[1,2],"b":1}, "seed":9007199254740993,"temperature":5e-1,"messages":[{"content":"why?","role":"user"}]}`,
		"how it is told":      strings.Replace(asked, `{"model"`, `{"stream":true,"stream_options":{"include_usage":true},"model"`, 1),
		"null":                strings.Replace(asked, `{"model"`, `{"top_p":null,"y":null,"model"`, 1),
		"the name in it":      strings.Replace(asked, `"m"`, `"n"`, 1),
		"written otherwise":   strings.Replace(asked, `why?`, `wh\u0079?`, 1),
		"the short form":      strings.Replace(asked, `"messages":[{"role":"user","content":"why?"}]`, `"prompt":"why?"`, 1),
		"the same, once more": asked,
	} {
		require.Equal(t, key, keyOf(t, "alice", "openai/m", same), name)
	}
	for name, other := range map[string]string{
		"text":        strings.Replace(asked, "why?", "why", 1),
		"role":        strings.Replace(asked, "user", "system", 1),
		"temperature": strings.Replace(asked, "0.5", "0.50001", 1),
		"seed":        strings.Replace(asked, "9007199254740993", "9007199254740992", 1),
		"extra":       strings.Replace(asked, `"b":1`, `"b":2`, 1),
		"tools":       strings.Replace(asked, `{"model"`, `{"tools":[{"type":"function","function":{"name":"f"}}],"model"`, 1),
		"format":      strings.Replace(asked, `{"model"`, `{"response_format":{"type":"json_object"},"model"`, 1),
		"history":     strings.Replace(asked, `"messages":[`, `"messages":[{"role":"system","content":"be brief"},`, 1),
		"user":        strings.Replace(asked, `{"model"`, `{"user":"u","model"`, 1),
	} {
		require.NotEqual(t, key, keyOf(t, "alice", "openai/m", other), name)
	}
	require.NotEqual(t, key, keyOf(t, "bob", "openai/m", asked))
	require.NotEqual(t, key, keyOf(t, "alice", "openai/n", asked))
}

func answer() *events.ChatResponse {
	cost := 0.25
	return &events.ChatResponse{
		ID: "c1", Object: events.ObjectChatCompletion, Created: 7, Model: "openai/m", ServiceTier: "flex",
		Choices: []events.ChatChoice{
			{Message: events.ChatMessage{Role: "assistant", Content: events.TextContent(strings.Repeat("äbc ", 300))}, FinishReason: events.FinishStop},
			{Index: 1, FinishReason: events.FinishToolCalls, Message: events.ChatMessage{
				Role: "assistant", Content: events.Content{Null: true}, ReasoningContent: "hm",
				ToolCalls: []events.ToolCall{{ID: "a", Type: "function", Function: events.ToolFunction{Name: "f", Arguments: `{"x":1}`}}, {ID: "b", Type: "function"}},
			}},
		},
		Usage: &events.ChatUsage{PromptTokens: 3, CompletionTokens: 4, TotalTokens: 7, Cost: &cost},
	}
}

func memory(t *testing.T) *cache.Namespace {
	t.Helper()
	c, err := cache.New(cache.Config{MemoryMB: 8, TTL: time.Hour}, nil, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	space, err := c.Namespace("chat", cache.Options{})
	require.NoError(t, err)
	return space
}

func TestGetAndPut(t *testing.T) {
	t.Parallel()
	c := answers.New(memory(t), slog.New(slog.DiscardHandler))
	require.Nil(t, c.Get(t.Context(), "k"))
	put := answer()
	c.Put(t.Context(), "k", put)
	got := c.Get(t.Context(), "k")
	require.NotNil(t, got)
	require.True(t, got.Usage.Cached)
	require.Nil(t, got.Usage.Cost, "this one costs nothing")
	require.Equal(t, 7, got.Usage.TotalTokens, "those that were bought")
	require.False(t, put.Usage.Cached, "what was put is the caller's")
	got.Usage = put.Usage
	require.Equal(t, jsonOf(t, put), jsonOf(t, got))

	for _, reason := range []string{events.FinishLength, events.FinishContentFilter, ""} {
		cutOff := answer()
		cutOff.Choices[1].FinishReason = reason
		c.Put(t.Context(), "cut", cutOff)
	}
	c.Put(t.Context(), "cut", &events.ChatResponse{})
	huge := answer()
	huge.Choices[0].Message.Content.Text = strings.Repeat("x", 2<<20)
	c.Put(t.Context(), "cut", huge)
	require.Nil(t, c.Get(t.Context(), "cut"))
	var none *answers.Cache
	none.Put(t.Context(), "k", put)
	require.Nil(t, none.Get(t.Context(), "k"))
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestGarbageInTheStoreIsNoAnswer(t *testing.T) {
	t.Parallel()
	space := memory(t)
	for _, garbage := range []string{"", "{\"choices\":[", "null", "{}"} {
		space.Set(t.Context(), "k", []byte(garbage))
		require.Nil(t, answers.New(space, slog.New(slog.DiscardHandler)).Get(t.Context(), "k"))
	}
	c := answers.New(nil, slog.New(slog.DiscardHandler))
	c.Put(t.Context(), "k", answer())
	require.Nil(t, c.Get(t.Context(), "k"), "no cache is an empty one")
}

// What is replayed is the answer, in pieces.
func TestReplay(t *testing.T) {
	t.Parallel()
	want := answer()
	texts, calls, finish := map[int]string{}, map[int][]events.ToolCall{}, map[int]string{}
	chunks := 0
	var thought strings.Builder
	var usage *events.ChatUsage
	require.NoError(t, answers.Replay(want, func(c *events.ChatChunk) error {
		require.Nil(t, usage, "it is last")
		chunks++
		require.Equal(t, []any{"c1", "openai/m", int64(7), "flex", events.ObjectChatCompletionChunk}, []any{c.ID, c.Model, c.Created, c.ServiceTier, c.Object})
		usage = c.Usage
		for _, choice := range c.Choices {
			require.LessOrEqual(t, len(choice.Delta.Content), 256)
			require.True(t, json.Valid([]byte(jsonOf(t, choice))))
			texts[choice.Index] += choice.Delta.Content
			thought.WriteString(choice.Delta.ReasoningContent)
			for _, call := range choice.Delta.ToolCalls {
				require.Equal(t, len(calls[choice.Index]), *call.Index)
				call.Index = nil
				calls[choice.Index] = append(calls[choice.Index], call)
			}
			if choice.FinishReason != nil {
				finish[choice.Index] = *choice.FinishReason
			}
		}
		return nil
	}))
	require.Equal(t, map[int]string{0: want.Choices[0].Message.Content.Text, 1: ""}, texts)
	require.Equal(t, map[int][]events.ToolCall{1: want.Choices[1].Message.ToolCalls}, calls)
	require.Equal(t, map[int]string{0: events.FinishStop, 1: events.FinishToolCalls}, finish)
	require.Equal(t, "hm", thought.String())
	require.Equal(t, want.Usage, usage)

	enough := errors.New("enough")
	for n := range chunks {
		require.Equal(t, enough, answers.Replay(want, func(*events.ChatChunk) error {
			if n--; n < 0 {
				return enough
			}
			return nil
		}))
	}
}
