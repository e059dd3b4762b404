package ollama_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// TestAnswers has answers whole, as a reader of ours gets them.
func TestAnswers(t *testing.T) {
	t.Parallel()
	said := func(what, rest string) string { return head + what + `},"done":true` + rest + `}` }
	for name, c := range map[string]struct{ theirs, ours string }{
		"text": {
			said(`"content":"a b"`, `,"done_reason":"stop","prompt_eval_count":26,"eval_count":298`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a b"},"finish_reason":"stop"}],` +
				`"usage":{"prompt_tokens":26,"completion_tokens":298,"total_tokens":324}`,
		},
		"no reason": {
			said(`"content":"a"`, ``), `"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]`,
		},
		"thoughts": {
			said(`"content":"","thinking":"hm"`, `,"done_reason":"length"`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"","reasoning_content":"hm"},"finish_reason":"length"}]`,
		},
		"calls": {
			said(`"content":"","tool_calls":[{"id":"c1","function":{"name":"f","arguments":{ "a" : [1, "x y"], "b" : 1.0 }}},{"id":"c2","function":{"name":"g"}}]`, `,"done_reason":"stop"`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":[1,\"x y\"],\"b\":1.0}"}},` +
				`{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls"}]`,
		},
		"a prompt that was in the cache": {
			said(`"content":"a"`, `,"done_reason":"stop","eval_count":2`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":2,"total_tokens":2}`,
		},
		"counts that make no sense": {
			said(`"content":"a"`, `,"done_reason":"stop","prompt_eval_count":-5,"eval_count":1e300`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],` +
				`"usage":{"prompt_tokens":0,"completion_tokens":1099511627776,"total_tokens":1099511627776}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: c.theirs}
			res, err := r.client(t).Chat(t.Context(), call(t, `{}`))
			require.NoError(t, err)
			require.Positive(t, res.Created)
			require.Greater(t, len(res.ID), len("ollama-"))
			res.Created, res.ID = 5, "i"
			got, err := json.Marshal(res)
			require.NoError(t, err)
			require.JSONEq(t, `{"id":"i","object":"chat.completion","created":5,"model":"llama-x:latest",`+c.ours+`}`, string(got))
		})
	}
}

// TestIDs makes ids where the server gives none, each another.
func TestIDs(t *testing.T) {
	t.Parallel()
	r := &recorder{body: head + `"tool_calls":[{"function":{"name":"f","arguments":{}}},{"function":{"name":"f","arguments":{}}}]},"done":true}`}
	seen := make(map[string]bool)
	for range 2 {
		res, err := r.client(t).Chat(t.Context(), call(t, `{}`))
		require.NoError(t, err)
		seen[res.ID] = true
		for _, c := range res.Choices[0].Message.ToolCalls {
			require.True(t, strings.HasPrefix(c.ID, "call_"))
			seen[c.ID] = true
		}
	}
	require.Len(t, seen, 6)
}

// TestInvalidUTF8 has an answer whose bytes are no text; what is passed on can be written as JSON.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	r := &recorder{body: head + "\"content\":\"\xff\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":\"\xff\"}}}]},\"done\":true}"}
	res, err := r.client(t).Chat(t.Context(), call(t, `{}`))
	require.NoError(t, err)
	require.Equal(t, "\ufffd", res.Choices[0].Message.Content.Text)
	require.JSONEq(t, `{"a":"`+"\ufffd"+`"}`, res.Choices[0].Message.ToolCalls[0].Function.Arguments)
}

func TestModels(t *testing.T) {
	t.Parallel()
	r := &recorder{body: `{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","size":1},{"name":"qwen3:8b"}]}`}
	names, err := r.client(t).Models(t.Context(), secret.Value{})
	require.NoError(t, err)
	require.Equal(t, []string{"llama3.2:latest", "qwen3:8b"}, names)
	require.Equal(t, "GET http://localhost:11434/api/tags", r.request.Method+" "+r.request.URL.String())

	r.body = `{"models":[]}`
	names, err = r.client(t).Models(t.Context(), secret.NewValue("k"))
	require.NoError(t, err)
	require.Empty(t, names)
	require.Equal(t, "Bearer k", r.request.Header.Get("Authorization"))
}

func TestModelsFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		class  llm.Class
		says   string
	}{
		"a proxy's refusal": {401, failure("unauthorized"), llm.ClassKey, "unauthorized"},
		"no list":           {200, `{}`, llm.ClassAnswer, "no list"},
		"no name":           {200, `{"models":[{"name":"a"},{}]}`, llm.ClassAnswer, "models[1]"},
		"no JSON":           {200, `Ollama is running`, llm.ClassAnswer, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{status: c.status, body: c.body}
			_, err := r.client(t).Models(t.Context(), secret.Value{})
			require.Equal(t, c.class, llm.FaultOf(err).Class, "%v", err)
			require.ErrorContains(t, err, c.says)
		})
	}
}
