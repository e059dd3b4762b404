package openai_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What servers other than OpenAI are known to do is put right.
func TestAnswersThatAreFine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ choice, finish, text string }{
		"tool calls":           {`"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"`, "tool_calls", ""},
		"tool calls that stop": {`"message":{"content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"`, "tool_calls", ""},
		"an object":            {`"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":[1]}}}]},"finish_reason":"tool_calls"`, "tool_calls", ""},
		"calls cut off":        {`"message":{"content":null,"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{"}}]},"finish_reason":"length"`, "length", ""},
		"refusal":              {`"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":"stop"`, "stop", ""},
		"filtered":             {`"message":{"role":"assistant","content":null},"finish_reason":"content_filter"`, "content_filter", ""},
		"nothing left":         {`"message":{"role":"assistant","content":null},"finish_reason":"length"`, "length", ""},
		"no finish reason":     {`"message":{"role":"assistant","content":"hi"}`, "stop", "hi"},
		"null finish reason":   {`"message":{"role":"assistant","content":"hi"},"finish_reason":null`, "stop", "hi"},
		"another's word":       {`"message":{"content":"hi"},"finish_reason":"eos_token"`, "stop", "hi"},
		"unknown fields":       {`"message":{"content":"hi","annotations":[],"audio":null,"x":{}},"logprobs":null,"finish_reason":"stop"`, "stop", "hi"},
		"other role, parts":    {`"message":{"role":"model","content":[{"type":"thinking","thinking":[]},{"type":"text","text":"hi"}]},"finish_reason":"stop"`, "stop", "hi"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, a := adapt(t, openai.Options{})
			server.Script(llmtest.Answer(http.StatusOK, `{"id":"x","choices":[{"index":0,`+c.choice+`}],"usage":null}`))
			res, err := a.Chat(t.Context(), call(t, `{"prompt":"hi"}`))
			require.NoError(t, err)
			require.Equal(t, events.RoleAssistant, res.Choices[0].Message.Role)
			require.Equal(t, c.finish, res.Choices[0].FinishReason)
			require.Equal(t, c.text, res.Choices[0].Message.Content.String())
			require.Positive(t, res.Created)
			require.Nil(t, res.Usage)
			for _, call := range res.Choices[0].Message.ToolCalls {
				require.NotEmpty(t, call.ID)
				require.Equal(t, "function", call.Type)
				require.Equal(t, "{", call.Function.Arguments[:1])
			}
		})
	}
}

func TestWhatIsKeptOfAnAnswer(t *testing.T) {
	t.Parallel()
	server, a := adapt(t, openai.Options{})
	server.Script(llmtest.Answer(http.StatusOK, `{"id":"x","created":5,"model":"m-1","system_fingerprint":"fp","service_tier":"flex","choices":[{"index":0,"finish_reason":"stop",
		"message":{"content":"hi","reasoning":"hm \"x\"","annotations":[{"type":"url_citation"}]},"logprobs":{"content":[]}}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6,"cost":"much","cached":{}}}`))
	res, err := a.Chat(t.Context(), call(t, `{"prompt":"hi"}`))
	require.NoError(t, err)
	require.Equal(t, &events.ChatResponse{
		ID: "x", Object: "chat.completion", Created: 5, Model: "m-1", SystemFingerprint: "fp", ServiceTier: "flex",
		Usage: &events.ChatUsage{PromptTokens: 5, CompletionTokens: 1, TotalTokens: 6},
		Choices: []events.ChatChoice{{FinishReason: "stop", Logprobs: []byte(`{"content":[]}`), Message: events.ChatMessage{
			Role: "assistant", Content: events.TextContent("hi"), ReasoningContent: `hm "x"`, Annotations: []byte(`[{"type":"url_citation"}]`),
		}}},
	}, res)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	cached := func(n int) *events.PromptTokensDetails { return &events.PromptTokensDetails{CachedTokens: n} }
	thought := func(n int) *events.CompletionTokensDetails {
		return &events.CompletionTokensDetails{ReasoningTokens: n}
	}
	for text, want := range map[string]*events.ChatUsage{
		`null`: nil, `{}`: nil,
		`{"prompt_tokens":-1,"completion_tokens":2}`:                                      nil,
		`{"prompt_tokens":9000000000000000000,"completion_tokens":9000000000000000000}`:   nil,
		`{"prompt_tokens":3,"completion_tokens":2}`:                                       {PromptTokens: 3, CompletionTokens: 2, TotalTokens: 5},
		`{"prompt_tokens":3,"completion_tokens":2,"total_tokens":4}`:                      {PromptTokens: 3, CompletionTokens: 2, TotalTokens: 5},
		`{"prompt_tokens":3,"completion_tokens":2,"total_tokens":9}`:                      {PromptTokens: 3, CompletionTokens: 6, TotalTokens: 9, CompletionTokensDetails: thought(4)},
		`{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":2}}`:                 {PromptTokens: 3, TotalTokens: 3, PromptTokensDetails: cached(2)},
		`{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":9}}`:                 {PromptTokens: 3, TotalTokens: 3, PromptTokensDetails: cached(3)},
		`{"prompt_tokens":3,"prompt_tokens_details":null,"prompt_cache_hit_tokens":1}`:    {PromptTokens: 3, TotalTokens: 3, PromptTokensDetails: cached(1)},
		`{"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":-5}}`:     {CompletionTokens: 3, TotalTokens: 3},
		`{"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":300000}}`: {CompletionTokens: 3, TotalTokens: 3, CompletionTokensDetails: thought(3)},
	} {
		server, a := adapt(t, openai.Options{})
		server.Script(llmtest.Answer(http.StatusOK, `{"choices":[{"message":{"content":"hi"}}],"usage":`+text+`}`))
		res, err := a.Chat(t.Context(), call(t, `{"prompt":"hi"}`))
		require.NoError(t, err)
		require.Equal(t, want, res.Usage, text)
	}
}

// streamed is what became of a stream: pieces of text and of calls, "|"-separated, and the last usage.
func streamed(t *testing.T, lines ...string) (list []string, usage *events.ChatUsage, alive int) {
	t.Helper()
	server, a := adapt(t, openai.Options{})
	server.Script(llmtest.Stream("data: " + strings.Join(lines, "\n\ndata: ") + "\n\ndata: [DONE]\n\n"))
	c := call(t, `{"prompt":"hi"}`)
	c.Alive = func() { alive++ }
	require.NoError(t, a.Stream(t.Context(), c, func(chunk *events.ChatChunk) error {
		usage = chunk.Usage
		for _, choice := range chunk.Choices {
			text := []string{choice.Delta.Content, choice.Delta.ReasoningContent}
			for _, call := range choice.Delta.ToolCalls {
				id := call.ID
				if strings.HasPrefix(id, "call_") {
					id = "made"
				}
				text = append(text, strconv.Itoa(*call.Index)+","+id+","+call.Function.Name+","+call.Function.Arguments)
			}
			if choice.FinishReason != nil {
				text = append(text, "="+*choice.FinishReason)
			}
			list = append(list, strings.Join(text, ""))
		}
		return nil
	}))
	return slices.Clip(list), usage, alive
}

func TestStreamsThatAreFine(t *testing.T) {
	t.Parallel()
	tools := func(calls string) string { return `{"choices":[{"index":0,"delta":{"tool_calls":[` + calls + `]}}]}` }
	const a, b = `{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"}}]}`, `{"choices":[{"index":0,"delta":{"content":"b"}}]}`
	const end = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	counted := &events.ChatUsage{PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3}
	const count = `"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}`
	for name, c := range map[string]struct {
		lines []string
		want  []string
		usage *events.ChatUsage
		alive int
	}{
		"no end":              {[]string{a, b}, []string{"a", "b", "=stop"}, nil, 0},
		"empty word for none": {[]string{`{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}`, end}, []string{"a", "=stop"}, nil, 0},
		"usage with the end":  {[]string{a, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],` + count + `}`}, []string{"a", "=stop"}, counted, 0},
		"usage in each":       {[]string{`{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`, end, `{"choices":[],` + count + `}`}, []string{"a", "=stop"}, counted, 1},
		"null choices":        {[]string{a, end, `{"choices":null,` + count + `}`}, []string{"a", "=stop"}, counted, 1},
		"filters of Azure":    {[]string{`{"choices":[],"prompt_filter_results":[]}`, a, end, `{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{}}]}`}, []string{"a", "=stop"}, nil, 2},
		"the end twice":       {[]string{a, end, end}, []string{"a", "=stop"}, nil, 1},
		"nothing said":        {[]string{`{"choices":[{"index":0,"delta":{"content":null}}]}`, a, end}, []string{"a", "=stop"}, nil, 1},
		"thoughts": {
			[]string{`{"choices":[{"index":0,"delta":{"reasoning_content":"hm","content":null}}]}`, `{"choices":[{"index":0,"delta":{"reasoning":" ah"}}]}`, a, end},
			[]string{"hm", " ah", "a", "=stop"},
			nil, 0,
		},
		"calls": {
			[]string{tools(`{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}`), tools(`{"index":0,"function":{"arguments":"{"}}`), tools(`{"index":1,"id":"y","function":{"name":"g","arguments":"1"}}`), tools(`{"index":0,"function":{"arguments":"}"}}`), end},
			[]string{"0,x,f,", "0,,,{", "1,y,g,1", "0,,,}", "=tool_calls"},
			nil, 0,
		},
		"calls without indexes": {
			[]string{tools(`{"id":"x","function":{"name":"f","arguments":"1"}},{"id":"y","function":{"name":"g","arguments":"2"}}`), tools(`{"function":{"arguments":"3"}}`), end},
			[]string{"0,x,f,11,y,g,2", "1,,,3", "=tool_calls"},
			nil, 0,
		},
		"calls with one index":   {[]string{tools(`{"index":0,"id":"x","function":{"name":"f","arguments":"1"}}`), tools(`{"index":0,"id":"y","function":{"name":"g","arguments":"2"}}`), end}, []string{"0,x,f,1", "1,y,g,2", "=tool_calls"}, nil, 0},
		"calls that repeat":      {[]string{tools(`{"index":0,"id":"x","function":{"name":"f","arguments":"1"}}`), tools(`{"index":0,"id":"x","function":{"name":"f","arguments":"2"}}`), end}, []string{"0,x,f,1", "0,,,2", "=tool_calls"}, nil, 0},
		"calls without ids":      {[]string{tools(`{"index":0,"function":{"name":"f","arguments":{"a":1}}}`), tools(`{"index":1,"function":{"name":"f","arguments":"2"}}`), end}, []string{`0,made,f,{"a":1}`, "1,made,f,2", "=tool_calls"}, nil, 0},
		"calls from another one": {[]string{tools(`{"index":1,"id":"x","function":{"name":"f","arguments":"1"}}`), tools(`{"index":1,"function":{"arguments":"2"}}`), end}, []string{"0,x,f,1", "0,,,2", "=tool_calls"}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, usage, alive := streamed(t, c.lines...)
			require.Equal(t, c.want, list)
			require.Equal(t, c.usage, usage)
			require.Equal(t, c.alive, alive)
		})
	}
}
