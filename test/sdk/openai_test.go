package sdk_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	ours "github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// gpt is a server that says one thing to everybody and hands over what it was asked, with one client of each kind.
type gpt struct {
	asked  chan sent
	theirs openai.Client
	ours   *ours.Adapter
}

// sent is a request that a server got.
type sent struct {
	path   string
	header http.Header
	body   []byte
}

// serveGPT starts the server.
func serveGPT(t *testing.T, handler http.HandlerFunc) *gpt {
	t.Helper()
	g := &gpt{asked: make(chan sent, 16)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		g.asked <- sent{r.URL.Path, r.Header.Clone(), body}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	g.theirs = openai.NewClient(option.WithBaseURL(server.URL+"/v1"), option.WithAPIKey(llmtest.Key), option.WithMaxRetries(0), option.WithHTTPClient(server.Client()))
	var err error
	g.ours, err = ours.NewAdapter("openai", server.URL+"/v1", llm.NewHTTPClient(), ours.Options{})
	require.NoError(t, err)
	return g
}

// gptCall reads a request.
func gptCall(t *testing.T, text string) *llm.Call {
	t.Helper()
	call := &llm.Call{Model: "gpt-4o-mini", Key: secret.NewValue(llmtest.Key), Request: &events.ChatRequest{}}
	require.NoError(t, json.Unmarshal([]byte(text), call.Request))
	require.NoError(t, call.Request.Validate())
	return call
}

// gptRequests are requests with all that there is in the protocol.
func gptRequests() map[string]string {
	return map[string]string{
		"short":  `{"prompt":"hello"}`,
		"system": `{"messages":[{"role":"system","content":"be brief"},{"role":"developer","content":"be kind"},{"role":"user","content":"naïve 日本語 🙂","name":"ann"}]}`,
		"settings": `{"prompt":"hello","temperature":0,"top_p":0.5,"max_completion_tokens":5,"n":2,"stop":["a","b"],"seed":0,"user":"u",
			"frequency_penalty":0.5,"presence_penalty":-1,"logit_bias":{"50256":-100},"logprobs":true,"top_logprobs":3,"reasoning_effort":"low","verbosity":"low",
			"service_tier":"flex","store":true,"metadata":{"a":"b"},"safety_identifier":"s","prompt_cache_key":"k","parallel_tool_calls":false,"modalities":["text"],
			"web_search_options":{"search_context_size":"low"},"prediction":{"type":"content","content":"x"}}`,
		"older bound": `{"prompt":"hello","max_tokens":5}`,
		"one stop":    `{"prompt":"hello","stop":"END"}`,
		"images":      `{"messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]}]}`,
		"files":       `{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f-1"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}`,
		"tools": `{"messages":[{"role":"user","content":"weather?"},
			{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Kyiv\"}"}},{"id":"call_2","type":"function","function":{"name":"now","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"call_1","content":"sun"},{"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"noon"}]},{"role":"assistant","content":"sun","refusal":"r"},{"role":"user","content":"sure?"}],
			"tools":[{"type":"function","function":{"name":"weather","description":"d","strict":true,"parameters":{"type":"object","properties":{"city":{"type":["string","null"],"default":null}},"required":["city"],"additionalProperties":false}}}],
			"tool_choice":{"type":"function","function":{"name":"weather"}}}`,
		"tool choice": `{"prompt":"x","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"}`,
		"JSON":        `{"prompt":"x","response_format":{"type":"json_object"}}`,
		"schema":      `{"prompt":"x","response_format":{"type":"json_schema","json_schema":{"name":"a","description":"d","strict":true,"schema":{"type":"object","properties":{"b":{"const":null}}}}}}`,
	}
}

// What we send, the SDK's types read and write again without a loss, and the SDK sends the same for it.
func TestGPTRequests(t *testing.T) {
	t.Parallel()
	d := llmtest.OpenAI()
	reply := d.Replies()["text"]
	for name, text := range gptRequests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := serveGPT(t, llmtest.Answer(http.StatusOK, d.Answer(reply)))
			_, err := g.ours.Chat(t.Context(), gptCall(t, text))
			require.NoError(t, err)
			sameRequest(t, g, func(params openai.ChatCompletionNewParams) {
				_, err := g.theirs.Chat.Completions.New(t.Context(), params)
				require.NoError(t, err)
			})

			g = serveGPT(t, llmtest.Stream(strings.Join(d.Stream(reply), "")))
			require.NoError(t, g.ours.Stream(t.Context(), gptCall(t, text), func(*events.ChatChunk) error { return nil }))
			sameRequest(t, g, func(params openai.ChatCompletionNewParams) {
				stream := g.theirs.Chat.Completions.NewStreaming(t.Context(), params)
				for stream.Next() {
				}
				require.NoError(t, stream.Err())
			})
		})
	}
}

// sameRequest compares our request, which was made, with the SDK's.
func sameRequest(t *testing.T, g *gpt, ask func(openai.ChatCompletionNewParams)) {
	t.Helper()
	us := <-g.asked
	require.NotContains(t, string(us.body), `"content":null`)
	var params openai.ChatCompletionNewParams
	require.NoError(t, json.Unmarshal(us.body, &params))
	if bytes.Contains(us.body, []byte(`"tool_choice":{"type":"function"`)) { // which the SDK writes, and does not read: it takes it for another form
		params.ToolChoice = openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "weather"})
	}
	ask(params)
	them := <-g.asked
	require.JSONEq(t, string(them.body), string(us.body))
	require.Equal(t, them.path, us.path)
	for _, name := range []string{"Authorization", "Content-Type"} {
		require.Equal(t, them.header.Get(name), us.header.Get(name), name)
	}
}
