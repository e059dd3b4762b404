package llmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// rig is an adapter and the server that it talks to.
type rig struct {
	d        *Dialect
	adapter  llm.Adapter
	server   *httptest.Server // nil where there is none
	requests atomic.Int64
}

// serve starts a server on a loopback port that answers every request with handler, when the request has been read.
func (d *Dialect) serve(t *testing.T, handler http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{d: d}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the client is gone
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, req)
	}))
	t.Cleanup(server.Close)
	r.server = server
	client := llm.NewHTTPClient()
	t.Cleanup(client.CloseIdleConnections)
	r.adapter = d.New(t, server.URL, client)
	return r
}

// memory is a transport that answers every request with the same bytes, without a connection. It checks that every body is closed.
type memory struct {
	status int
	header http.Header
	body   io.Reader
	closed atomic.Bool
}

// RoundTrip implements [http.RoundTripper].
func (m *memory) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
		if err := req.Body.Close(); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: m.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: m.header, Body: m, ContentLength: -1, Request: req,
	}, nil
}

// Read implements [io.Reader].
func (m *memory) Read(p []byte) (int, error) { return m.body.Read(p) }

// Close implements [io.Closer].
func (m *memory) Close() error {
	m.closed.Store(true)
	return nil
}

// recall makes an adapter whose server is a body of status 200.
func (d *Dialect) recall(t testing.TB, kind string, body io.Reader) (*rig, *memory) {
	t.Helper()
	m := &memory{status: http.StatusOK, header: http.Header{"Content-Type": {kind}}, body: body}
	return &rig{d: d, adapter: d.New(t, "http://127.0.0.1:9", &http.Client{Transport: m})}, m
}

// hello is the request of most rows.
func hello() *llm.Call {
	return &llm.Call{Model: "m", Key: secret.NewValue(Key), Request: &events.ChatRequest{
		Model: "acme/m", Messages: []events.ChatMessage{{Role: events.RoleUser, Content: events.TextContent("hello")}},
	}}
}

// chat makes a plain call and checks the answer.
func (r *rig) chat(ctx context.Context, call *llm.Call) (*outcome, error) {
	res, err := r.adapter.Chat(ctx, call)
	if err != nil {
		return nil, err
	}
	return whole(res)
}

// stream makes a streamed call and checks the chunks. What was joined so far is returned beside an error.
func (r *rig) stream(ctx context.Context, call *llm.Call) (*outcome, *joiner, error) {
	j, broken := &joiner{}, error(nil)
	err := r.adapter.Stream(ctx, call, func(c *events.ChatChunk) error {
		if broken == nil {
			broken = j.add(c)
		}
		clear(c.Choices) // it is ours: what is kept by the adapter must not depend on it
		return nil
	})
	if broken != nil {
		return nil, j, broken
	}
	if err != nil {
		return nil, j, err
	}
	out, err := j.outcome()
	return out, j, err
}

// both runs a row on a plain call and on a streamed one.
func both(t *testing.T, row func(t *testing.T, streamed bool)) {
	t.Helper()
	for name, streamed := range map[string]bool{"plain": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row(t, streamed)
		})
	}
}

// ask makes a call of either kind.
func (r *rig) ask(ctx context.Context, call *llm.Call, streamed bool) error {
	if streamed {
		_, _, err := r.stream(ctx, call)
		return err
	}
	_, err := r.chat(ctx, call)
	return err
}

// says has a handler say a reply, in the form that is asked for.
func (d *Dialect) says(r Reply, streamed bool) http.HandlerFunc {
	if streamed {
		return d.streams(d.Stream(r)...)
	}
	return Answer(http.StatusOK, d.Answer(r))
}

// streams has a handler send pieces of a stream, each flushed.
func (d *Dialect) streams(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", d.streamType())
		w.WriteHeader(http.StatusOK)
		for _, piece := range pieces {
			write(w, piece)
		}
	}
}

// fault checks that an error is a fault that names the provider.
func (d *Dialect) fault(t testing.TB, err error) *llm.Fault {
	t.Helper()
	require.Error(t, err)
	fault := asFault(err)
	require.NotNil(t, fault, "%T is no *llm.Fault: %v", err, err)
	require.NotNil(t, fault.Err)
	require.Equal(t, d.Provider, fault.Err.Provider, "%v", err)
	require.NotEmpty(t, fault.Class)
	return fault
}

// asFault is the fault that an error is.
func asFault(err error) *llm.Fault {
	fault, _ := err.(*llm.Fault) //nolint:errorlint // the contract says that it is one, and not that it wraps one
	return fault
}

// request reads a request of our side; without messages there is one.
func request(t testing.TB, text string) *events.ChatRequest {
	t.Helper()
	req := &events.ChatRequest{}
	require.NoError(t, json.Unmarshal([]byte(text), req))
	if len(req.Messages) == 0 {
		req.Messages = hello().Request.Messages
	}
	require.NoError(t, req.Validate())
	return req
}

// endless reads as a text, repeated without end.
type endless struct {
	text   string
	rest   string
	served int64
}

// Read implements [io.Reader].
func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.text
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	e.served += int64(n)
	return n, nil
}

// long is a text of n bytes, made of words.
func long(n int) string { return strings.Repeat("sixteen letters ", n/16) }

// checkEnded checks that an operation on an ended context says so.
func checkEnded(t *testing.T, op func(context.Context) error) {
	t.Helper()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, events.CodeCanceled, events.CodeOf(op(canceled)))
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(op(late)))
}
