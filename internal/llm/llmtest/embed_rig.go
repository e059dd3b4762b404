package llmtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// embedRig is an adapter of embeddings and the server that it talks to.
type embedRig struct {
	d        *EmbedDialect
	adapter  llm.EmbedAdapter
	server   *httptest.Server // nil where there is none
	requests atomic.Int64
}

// serve starts a server on a loopback port that answers every request with handler, when the request has been read.
func (d *EmbedDialect) serve(t *testing.T, handler http.HandlerFunc) *embedRig {
	t.Helper()
	r := &embedRig{d: d}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the client is gone
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, req)
	}))
	t.Cleanup(r.server.Close)
	client := llm.NewHTTPClient()
	t.Cleanup(client.CloseIdleConnections)
	r.adapter = d.New(t, r.server.URL, client)
	return r
}

// recall makes an adapter whose server is a body of status 200.
func (d *EmbedDialect) recall(t testing.TB, body io.Reader, header ...string) (*embedRig, *memory) {
	t.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	for _, line := range header {
		name, value, _ := bytes.Cut([]byte(line), []byte(": "))
		h.Set(string(name), string(value))
	}
	m := &memory{status: http.StatusOK, header: h, body: body}
	return &embedRig{d: d, adapter: d.New(t, "http://127.0.0.1:9", &http.Client{Transport: m})}, m
}

// texts is a call of n texts, none of them like another.
func texts(n int) *llm.EmbedCall {
	call := &llm.EmbedCall{Model: "m", Key: secret.NewValue(Key)}
	for i := range n {
		call.Texts = append(call.Texts, fmt.Sprintf("text number %d", i))
	}
	return call
}

// embed makes a call and checks, of an answer, all that the contract promises.
func (r *embedRig) embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	got, err := r.adapter.Embed(ctx, call)
	if err != nil {
		if got != nil {
			return nil, fmt.Errorf("an answer beside an error: %w", err)
		}
		return nil, err
	}
	if err := CheckEmbedded(call, got); err != nil {
		return nil, err
	}
	return got, nil
}

// CheckEmbedded checks an answer as a whole: it returns an error, which is no fault, of one that must not have passed.
func CheckEmbedded(call *llm.EmbedCall, got *llm.Embedded) error {
	if err := llm.CheckVectors("", got.Vectors, call.Count(), call.Dimensions); err != nil {
		return fmt.Errorf("a wrong answer has passed: %s", err) //nolint:errorlint // it is no error of the adapter's
	}
	if got.PromptTokens < 0 || got.Tokens != nil && len(got.Tokens) != call.Count() {
		return fmt.Errorf("a wrong count has passed: %d tokens, %d of texts", got.PromptTokens, len(got.Tokens))
	}
	for i, cut := range got.Truncated {
		if i < 0 || i >= call.Count() || cut.Used < 0 || cut.Tokens < cut.Used && cut.Tokens != 0 {
			return fmt.Errorf("a wrong truncation has passed: %d: %+v", i, cut)
		}
	}
	return nil
}

// fault checks that an error is a fault that names the provider.
func (d *EmbedDialect) fault(t testing.TB, err error) *llm.Fault {
	t.Helper()
	return (&Dialect{Provider: d.Provider}).fault(t, err)
}

// fails makes a call that is answered by a body of status 200, and returns the fault that has to come of it.
func (d *EmbedDialect) fails(t *testing.T, call *llm.EmbedCall, body string) *llm.Fault {
	t.Helper()
	r, m := d.recall(t, bytes.NewReader([]byte(body)))
	_, err := r.embed(t.Context(), call)
	fault := d.fault(t, err)
	require.True(t, m.closed.Load(), "the body is closed")
	return fault
}
