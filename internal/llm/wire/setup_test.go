package wire_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// apiKey is a key that looks different when it is URL-encoded.
const apiKey = "sk-canary+/=12345"

// reply is a server without a connection: it gives one answer to all and keeps the last request.
type reply struct {
	status int // 0 is 200
	header http.Header
	body   io.Reader
	length int64 // as it is announced; 0 is that it is not
	err    error // instead of an answer

	request *http.Request
	sent    string
	closed  bool
}

// says is an answer of status 200 in JSON.
func says(body string) *reply { return &reply{body: strings.NewReader(body)} }

// RoundTrip implements [http.RoundTripper].
func (r *reply) RoundTrip(req *http.Request) (*http.Response, error) {
	r.request = req
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.sent = string(body)
	}
	if r.err != nil {
		return nil, r.err
	}
	res := &http.Response{StatusCode: r.status, Header: r.header.Clone(), Body: r, ContentLength: r.length, Request: req}
	if res.StatusCode == 0 {
		res.StatusCode = http.StatusOK
	}
	if res.Header == nil {
		res.Header = http.Header{}
	}
	if res.Header["Content-Type"] == nil {
		res.Header.Set("Content-Type", wire.TypeJSON)
	}
	if res.ContentLength == 0 {
		res.ContentLength = -1
	}
	return res, nil
}

// Read implements [io.Reader].
func (r *reply) Read(p []byte) (int, error) {
	if r.body == nil {
		return 0, io.EOF
	}
	return r.body.Read(p)
}

// Close implements [io.Closer].
func (r *reply) Close() error {
	r.closed = true
	return nil
}

// server is a server that answers so; what cfg leaves out is filled in.
func (r *reply) server(t *testing.T, cfg wire.Config) *wire.Server {
	t.Helper()
	cfg.Provider, cfg.HTTP = "acme", &http.Client{Transport: r}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://acme.test/v1/"
	}
	s, err := wire.New(cfg)
	require.NoError(t, err)
	return s
}

// fails makes one request, which must fail, and returns the fault.
func (r *reply) fails(t *testing.T, cfg wire.Config) *llm.Fault {
	t.Helper()
	return failed(t, r.server(t, cfg).Call(t.Context(), wire.Request{Path: "/x", Body: []byte("{}"), Key: secret.NewValue(apiKey)}, &struct{}{}))
}

// failed checks that an error is a fault that names the provider and holds no key.
func failed(t *testing.T, err error) *llm.Fault {
	t.Helper()
	fault, ok := err.(*llm.Fault) //nolint:errorlint // every error is one, and does not wrap one
	require.True(t, ok, "%T: %v", err, err)
	require.Equal(t, "acme", fault.Err.Provider)
	for e := error(fault.Err); e != nil; e = unwrap(e) {
		require.NotContains(t, e.Error(), "canary")
	}
	return fault
}

// unwrap is the cause of an error.
func unwrap(err error) error {
	if e, ok := err.(*events.Error); ok { //nolint:errorlint // one at a time
		return e.Err
	}
	return nil
}

// endless reads as white space that never ends, and counts it.
type endless struct{ served int }

// Read implements [io.Reader].
func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.served += len(p)
	return len(p), nil
}

// half is a body that breaks with an error after its text.
type half struct {
	text io.Reader
	err  error
}

// Read implements [io.Reader].
func (h *half) Read(p []byte) (int, error) {
	n, err := h.text.Read(p)
	if n == 0 && err != nil {
		return 0, h.err
	}
	return n, nil
}

// ended is a context that a fault has ended.
func ended(t *testing.T, why error) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	return ctx
}
