package cohere_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// connect makes a client; what cfg leaves out is filled in.
func connect(t testing.TB, cfg cohere.Config) *cohere.Client {
	t.Helper()
	if cfg.Provider == "" {
		cfg.Provider = "cohere"
	}
	if cfg.HTTP == nil {
		cfg.HTTP = llm.NewHTTPClient()
		t.Cleanup(cfg.HTTP.CloseIdleConnections)
	}
	c, err := cohere.New(cfg)
	require.NoError(t, err)
	return c
}

// recorder is a server without a connection: it gives one answer to all and keeps the last request.
type recorder struct {
	status int // 0 is 200
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
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {req.Header.Get("Accept")}},
		Body: io.NopCloser(strings.NewReader(r.body)), ContentLength: -1, Request: req,
	}, nil
}

// client is a client whose server is r, with no more configured than is said.
func (r *recorder) client(t testing.TB, configured ...cohere.Config) *cohere.Client {
	t.Helper()
	cfg := append(configured, cohere.Config{})[0]
	cfg.HTTP = &http.Client{Transport: r}
	return connect(t, cfg)
}

// hi is an answer that says "hi".
const hi = `{"id":"r1","message":{"role":"assistant","content":[{"type":"text","text":"hi"}]},"finish_reason":"COMPLETE"}`

// call makes a call of a request of our side in JSON; without messages it asks "a".
func call(t testing.TB, text string) *llm.Call {
	t.Helper()
	req := &events.ChatRequest{}
	require.NoError(t, json.Unmarshal([]byte(text), req))
	if req.Prompt == "" && req.Messages == nil {
		req.Prompt = "a"
	}
	require.NoError(t, req.Validate())
	return &llm.Call{Model: "command-x", Request: req, Key: secret.NewValue(llmtest.Key)}
}
