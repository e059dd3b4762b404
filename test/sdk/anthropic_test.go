package sdk_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	ours "github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// claudeKey is the key that both send.
const claudeKey = "sk-ant-test-0123456789"

// claude is a server that says one thing to everybody and keeps the last request, with one client of each kind.
type claude struct {
	status int
	header http.Header
	body   string

	mu   sync.Mutex
	sent string
	head http.Header

	theirs anthropic.Client
	ours   *ours.Client
}

// serveClaude starts the server.
func serveClaude(t *testing.T, status int, kind, body string) *claude {
	t.Helper()
	c := &claude{status: status, header: http.Header{"Content-Type": {kind}, "Request-Id": {"req_011"}}, body: body}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.theirs = anthropic.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey(claudeKey), option.WithMaxRetries(0), option.WithHTTPClient(server.Client()))
	var err error
	c.ours, err = ours.New(ours.Config{Provider: "anthropic", BaseURL: server.URL, HTTP: server.Client(), SystemTurns: true})
	require.NoError(t, err)
	return c
}

// ServeHTTP implements [http.Handler].
func (c *claude) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	c.mu.Lock()
	c.sent, c.head = string(body), r.Header.Clone()
	c.mu.Unlock()
	maps.Copy(w.Header(), c.header)
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.body) // a client that has gone is no matter here
}

// last is the last request.
func (c *claude) last() (string, http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent, c.head
}

// claudeCall is a call of a request of our side in JSON.
func claudeCall(t *testing.T, text string) *llm.Call {
	t.Helper()
	req := &events.ChatRequest{}
	require.NoError(t, json.Unmarshal([]byte(text), req))
	require.NoError(t, req.Validate())
	return &llm.Call{Model: "claude-opus-4-8", Request: req, Key: secret.NewValue(claudeKey)}
}

// claudeRequests are requests of our side that use all that is translated.
func claudeRequests() map[string]string {
	const weather = `{"type":"function","function":{"name":"weather","description":"tells the weather","strict":true,` +
		`"parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}}}`
	return map[string]string{
		"a prompt": `{"prompt":"hi"}`,
		"sampling": `{"prompt":"hi","temperature":0.7,"top_p":0.9,"top_k":5,"stop":["END"],"max_completion_tokens":50,"user":"u-1","service_tier":"auto"}`,
		"thinking": `{"prompt":"hi","thinking":{"type":"enabled","budget_tokens":2048},"cache_control":{"type":"ephemeral","ttl":"1h"}}`,
		"effort":   `{"prompt":"hi","reasoning_effort":"high","thinking":{"type":"adaptive","display":"omitted"}}`,
		"disabled": `{"prompt":"hi","reasoning_effort":"none"}`,
		"format":   `{"prompt":"hi","response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"a":{"type":"integer"}}}}}}`,
		"tools":    `{"prompt":"hi","tools":[` + weather + `,{"type":"function","function":{"name":"now"}}]}`,
		"any":      `{"prompt":"hi","tools":[` + weather + `],"tool_choice":"required","parallel_tool_calls":false}`,
		"auto":     `{"prompt":"hi","tools":[` + weather + `],"parallel_tool_calls":false}`,
		"none":     `{"prompt":"hi","tools":[` + weather + `],"tool_choice":"none"}`,
		"one":      `{"prompt":"hi","tools":[` + weather + `],"tool_choice":{"type":"function","function":{"name":"weather"}}}`,
		"systems": `{"messages":[{"role":"system","content":"be brief"},{"role":"developer","content":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}]},` +
			`{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":"go on"},{"role":"system","content":"now be long"}]}`,
		"calls": `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"a moment","tool_calls":[` +
			`{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Kyiv\"}"}},{"id":"c2","type":"function","function":{"name":"now","arguments":""}}]},` +
			`{"role":"tool","tool_call_id":"c1","content":"sunny"},{"role":"tool","tool_call_id":"c2","content":""},{"role":"user","content":"thanks"}]}`,
		"images": `{"messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},` +
			`{"type":"image_url","image_url":{"url":"https://example.com/a.jpg"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]}]}`,
	}
}

// TestClaudeRequests reads what we send with the SDK's own types and writes it again: nothing is unknown to it, and nothing lacks.
func TestClaudeRequests(t *testing.T) {
	t.Parallel()
	for name, request := range claudeRequests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveClaude(t, http.StatusOK, "application/json", claudeAnswers()["text"])
			_, err := c.ours.Chat(t.Context(), claudeCall(t, request))
			require.NoError(t, err)
			sent, head := c.last()

			var params anthropic.MessageNewParams
			require.NoError(t, json.Unmarshal([]byte(sent), &params))
			again, err := json.Marshal(params)
			require.NoError(t, err)
			require.JSONEq(t, sent, string(again))

			_, err = c.theirs.Messages.New(t.Context(), params)
			require.NoError(t, err)
			theirs, want := c.last()
			require.JSONEq(t, theirs, sent, "the SDK sends the same")
			for _, name := range []string{"X-Api-Key", "Anthropic-Version", "Content-Type", "Accept"} {
				require.Equal(t, want.Get(name), head.Get(name), name)
			}

			require.Error(t, c.ours.Stream(t.Context(), claudeCall(t, request), nil), "the answer is no stream")
			sent, _ = c.last()
			stream := c.theirs.Messages.NewStreaming(t.Context(), params)
			require.NoError(t, stream.Close())
			theirs, _ = c.last()
			require.JSONEq(t, theirs, sent, "the SDK asks for a stream in the same way")
		})
	}
}
