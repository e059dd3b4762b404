package openai_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// adapt returns a server and an adapter for it.
func adapt(t *testing.T, opts openai.Options) (*llmtest.Server, *openai.Adapter) {
	t.Helper()
	server := llmtest.NewServer(t)
	a, err := openai.NewAdapter("acme", server.URL, llm.NewHTTPClient(), opts)
	require.NoError(t, err)
	return server, a
}

// call reads a request.
func call(t testing.TB, request string) *llm.Call {
	t.Helper()
	c := &llm.Call{Model: "m", Key: secret.NewValue(llmtest.Key), Request: &events.ChatRequest{}}
	require.NoError(t, json.Unmarshal([]byte(request), c.Request))
	require.NoError(t, c.Request.Validate())
	return c
}

// ignore is a reader of a stream.
func ignore(*events.ChatChunk) error { return nil }

// Nothing is sent that was not asked for, nothing that was asked for is lost, and nothing is null.
func TestRequestsOnTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts          openai.Options
		request, want string
		streamed      bool
	}{
		"short": {request: `{"model":"acme/m","prompt":"hi"}`, want: `{"model":"m","messages":[{"role":"user","content":"hi"}]}`},
		"stream": {
			request: `{"prompt":"hi","stream":true,"stream_options":{"include_usage":false}}`, streamed: true,
			want: `{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`,
		},
		"stream without options": {
			opts: openai.Options{NoStreamOptions: true}, request: `{"prompt":"hi"}`, streamed: true,
			want: `{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`,
		},
		"everything": {
			request: `{"messages":[{"role":"developer","content":"x","name":"n"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,","detail":"low"}}]},
				{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
				{"role":"tool","content":"","tool_call_id":"c1"},{"role":"assistant","content":"no","refusal":"r"}],
				"temperature":0,"top_p":0.5,"max_completion_tokens":5,"n":2,"stop":"x","seed":0,"user":"u",
				"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","default":null},"strict":true}}],"tool_choice":"auto",
				"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"},"strict":true}},
				"reasoning_effort":"low","logprobs":true,"top_logprobs":3,"modalities":["text"],"metadata":{"a":"b"},"parallel_tool_calls":false,"custom":1e2}`,
			want: `{"model":"m","messages":[{"role":"developer","content":"x","name":"n"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,","detail":"low"}}]},
				{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
				{"role":"tool","content":"","tool_call_id":"c1"},{"role":"assistant","content":"no","refusal":"r"}],
				"temperature":0,"top_p":0.5,"max_completion_tokens":5,"n":2,"stop":["x"],"seed":0,"user":"u",
				"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","default":null},"strict":true}}],"tool_choice":"auto",
				"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"},"strict":true}},
				"reasoning_effort":"low","logprobs":true,"top_logprobs":3,"modalities":["text"],"metadata":{"a":"b"},"parallel_tool_calls":false,"custom":1e2}`,
		},
		"nothing said": {
			request: `{"prompt":"hi","tools":null,"tool_choice":null,"response_format":null,"stop":null,"temperature":null,"custom":null,"max_tokens":7}`,
			want:    `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":7}`,
		},
		"older bound": {
			opts: openai.Options{MaxTokensField: openai.MaxTokens}, request: `{"prompt":"hi","max_completion_tokens":7}`,
			want: `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":7}`,
		},
		"newer bound": {
			opts: openai.Options{MaxTokensField: openai.MaxCompletionTokens}, request: `{"prompt":"hi","max_tokens":7}`,
			want: `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":7}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, a := adapt(t, c.opts)
			if c.streamed {
				require.NoError(t, a.Stream(t.Context(), call(t, c.request), ignore))
			} else {
				_, err := a.Chat(t.Context(), call(t, c.request))
				require.NoError(t, err)
			}
			got := server.Requests()
			require.Len(t, got, 1)
			require.JSONEq(t, c.want, string(got[0].Body))
			require.Equal(t, "Bearer "+llmtest.Key, got[0].Header.Get("Authorization"))
		})
	}
}

func TestNoKey(t *testing.T) {
	t.Parallel()
	server, a := adapt(t, openai.Options{})
	c := call(t, `{"prompt":"hi"}`)
	c.Key = secret.Value{}
	_, err := a.Chat(t.Context(), c)
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err), "the server wants one")
	require.NotContains(t, server.Requests()[0].Header, "Authorization")
}

func TestAzure(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"/openai/":                   "/v1/openai/deployments/m/chat/completions?api-version=2024-10-21",
		"/openai/deployments/my-gpt": "/v1/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
		"/openai/v1":                 "/v1/openai/v1/chat/completions",
	} {
		seen := make(chan *http.Request, 1)
		server := llmtest.NewServer(t)
		server.Script(func(w http.ResponseWriter, r *http.Request) {
			seen <- r
			llmtest.Answer(http.StatusOK, `{"choices":[{"index":0,"message":{"content":"hi"},"content_filter_results":{},"finish_reason":"stop"}],"prompt_filter_results":[]}`)(w, r)
		})
		version := "2024-10-21"
		if base == "/openai/v1" {
			version = ""
		}
		opts := openai.Azure(server.URL+base, version)
		opts.Header = http.Header{"X-Team": {"a"}}
		a, err := openai.NewAdapter("azure", server.URL+base, llm.NewHTTPClient(), opts)
		require.NoError(t, err)
		_, err = a.Chat(t.Context(), call(t, `{"prompt":"hi"}`))
		require.NoError(t, err)
		r := <-seen
		require.Equal(t, want, r.URL.String())
		require.Equal(t, llmtest.Key, r.Header.Get("Api-Key"))
		require.Equal(t, "a", r.Header.Get("X-Team"))
		require.NotContains(t, r.Header, "Authorization")
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	server, a := adapt(t, openai.Options{})
	server.Script(llmtest.Answer(http.StatusOK, `{"object":"list","data":[{"id":"a","object":"model","created":1,"owned_by":"x"},{"id":"org/b:free"}]}`))
	models, err := a.Models(t.Context(), secret.NewValue(llmtest.Key))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "org/b:free"}, models)
	require.Equal(t, "/v1/models", server.Requests()[0].Path)
	for _, bad := range []string{`{"data":[{"id":""}]}`, `{"data":[{"name":"x"}]}`, `{"data":{}}`, `[`} {
		server.Script(llmtest.Answer(http.StatusOK, bad))
		_, err = a.Models(t.Context(), secret.NewValue(llmtest.Key))
		require.Equal(t, llm.ClassAnswer, llm.FaultOf(err).Class, bad)
	}
}

func TestWhatTheServerIsKnownToIgnoreIsRefused(t *testing.T) {
	t.Parallel()
	fields := map[string]string{
		"response_format": `{"response_format":{"type":"json_object"}}`, "n": `{"n":2}`, "tools": `{"tools":[{"type":"function"}]}`,
		"tool_choice": `{"tool_choice":"required"}`, "seed": `{"seed":1}`, "stop": `{"stop":"x"}`, "user": `{"user":"x"}`,
		"temperature": `{"temperature":0}`, "top_p": `{"top_p":1}`, "logprobs": `{"logprobs":true}`,
	}
	harmless := `{"prompt":"hi","response_format":{"type":"text"},"n":1,"tools":[],"tool_choice":"auto","logprobs":false}`
	for field, request := range fields {
		server, a := adapt(t, openai.Options{Refuse: []string{field}})
		_, err := a.Chat(t.Context(), call(t, `{"prompt":"hi",`+request[1:]))
		require.Equal(t, llm.ClassUnsupported, llm.FaultOf(err).Class, field)
		require.ErrorContains(t, err, field+": ")
		require.Empty(t, server.Requests())
		_, err = a.Chat(t.Context(), call(t, harmless))
		require.NoError(t, err, "what is the default is not asked for")
	}
}

func TestAnExtraFieldCannotReplaceOurs(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"model", "messages", "stream", "stream_options", "prompt", "temperature"} {
		server, a := adapt(t, openai.Options{})
		c := call(t, `{"prompt":"hi","temperature":1}`)
		c.Request.Extra = map[string]json.RawMessage{field: json.RawMessage(`"x"`)}
		_, err := a.Chat(t.Context(), c)
		require.Equal(t, llm.ClassCaller, llm.FaultOf(err).Class, field)
		require.Empty(t, server.Requests())
	}
}
