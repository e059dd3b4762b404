package anthropic_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// connect makes a client; what cfg leaves out is as usual.
func connect(t testing.TB, cfg anthropic.Config) *anthropic.Client {
	t.Helper()
	if cfg.Provider == "" {
		cfg.Provider = "anthropic"
	}
	if cfg.HTTP == nil {
		cfg.HTTP = llm.NewHTTPClient()
		t.Cleanup(cfg.HTTP.CloseIdleConnections)
	}
	c, err := anthropic.New(cfg)
	require.NoError(t, err)
	return c
}

// recorder is a server without a connection: it gives one answer to all and keeps the last request.
type recorder struct {
	status int // 0 is 200
	header http.Header
	body   string

	request *http.Request
	sent    string
}

// RoundTrip implements [http.RoundTripper].
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.request = req
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.sent = string(body)
	}
	status, header := r.status, r.header.Clone()
	if status == 0 {
		status = http.StatusOK
	}
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", req.Header.Get("Accept"))
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(r.body)), ContentLength: -1, Request: req}, nil
}

// client is a client whose server is r.
func (r *recorder) client(t testing.TB, cfg anthropic.Config) *anthropic.Client {
	t.Helper()
	cfg.HTTP = &http.Client{Transport: r}
	return connect(t, cfg)
}

// hi is an answer that says "hi".
const hi = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}`

// call makes a call of a request of our side in JSON; without messages it asks "a".
func call(t testing.TB, text string) *llm.Call {
	t.Helper()
	req := &events.ChatRequest{}
	require.NoError(t, json.Unmarshal([]byte(text), req))
	if req.Prompt == "" && req.Messages == nil {
		req.Prompt = "a"
	}
	require.NoError(t, req.Validate())
	return &llm.Call{Model: "claude-x", Request: req, Key: secret.NewValue(llmtest.Key)}
}

// calling is an answer that thinks, says something and calls two tools.
func calling() llmtest.Reply {
	return llmtest.Reply{
		Said: []llmtest.Said{{
			Text: "Let me look.", Finish: "tool_use",
			Calls: []llmtest.Called{{ID: "c1", Name: "f", Arguments: `{"a": "b c"}`}, {ID: "c2", Name: "g", Arguments: `{}`}},
		}},
		Usage: llmtest.Usage{Prompt: 30, Cached: 10, Completion: 20, Reasoning: 5},
	}
}
