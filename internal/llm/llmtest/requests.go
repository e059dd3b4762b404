package llmtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// conversation is a request with most of what every server has.
func (d *Dialect) conversation(t *testing.T) *events.ChatRequest {
	t.Helper()
	messages := `{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"hello"}]}`
	more := `"max_completion_tokens":100,"temperature":0.5,"stop":["END"]`
	if d.Tools {
		messages += `,{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"now","arguments":"{}"}}]},` +
			`{"role":"tool","tool_call_id":"call_1","content":"noon"}`
		more += `,"tools":[{"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}}]`
	}
	return request(t, `{"messages":[`+messages+`],`+more+`}`)
}

// requests: the request is the caller's and stays as it was; what is sent is JSON, with the key in a header and no nulls, of which
// servers make different things.
func (d *Dialect) requests(t *testing.T) {
	both(t, func(t *testing.T, streamed bool) {
		seen := make(chan *http.Request, 1)
		bodies := make(chan []byte, 1)
		r := d.serve(t, func(w http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return // it has been read before
			}
			seen <- req
			bodies <- body
			d.says(d.text("hi"), streamed)(w, req)
		})
		call := hello()
		call.Request = d.conversation(t)
		before, err := json.Marshal(call.Request)
		require.NoError(t, err)
		require.NoError(t, r.ask(t.Context(), call, streamed))
		after, err := json.Marshal(call.Request)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after))
		req := <-seen
		require.Equal(t, http.MethodPost, req.Method)
		require.Equal(t, "application/json", req.Header.Get("Content-Type"))
		require.Contains(t, fmt.Sprint(req.Header), Key)
		require.NotContains(t, req.URL.String(), Key, "addresses stand in logs")
		var body any
		text := <-bodies
		require.NoError(t, json.Unmarshal(text, &body))
		require.False(t, hasNull(body), "%s", text)
		require.NotContains(t, string(text), Key)
	})
}

// hasNull reports whether there is a null in a JSON value.
func hasNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return slices.ContainsFunc(v, hasNull)
	case map[string]any:
		for _, item := range v {
			if hasNull(item) {
				return true
			}
		}
	}
	return false
}

// source is a key that is what it says.
type source string

// Current implements [secret.Source].
func (s source) Current() string { return string(s) }

// Renew implements [secret.Source]. An adapter has nothing to ask: who calls it decides about a second attempt.
func (s source) Renew(context.Context, string) {}

// keys: a live key is read for each request; what cannot be a key is not sent, and is the key's fault.
func (d *Dialect) keys(t *testing.T) {
	both(t, func(t *testing.T, streamed bool) {
		for _, bad := range []string{"", " \n", "two words", "two\nlines", "ключ", "a\x00b"} {
			r := d.serve(t, d.says(d.text("hi"), streamed))
			call := hello()
			call.Key = secret.Live(source(bad))
			fault := d.fault(t, r.ask(t.Context(), call, streamed))
			require.Equal(t, llm.ClassKey, fault.Class)
			require.Equal(t, events.CodeUnauthenticated, fault.Err.Code)
			require.Zero(t, r.requests.Load())
		}
		headers := make(chan http.Header, 2)
		r := d.serve(t, func(w http.ResponseWriter, req *http.Request) {
			headers <- req.Header
			d.says(d.text("hi"), streamed)(w, req)
		})
		for _, key := range []string{"sk-first-1", "sk-second-2"} {
			call := hello()
			call.Key = secret.Live(source(" " + key + "\n")) // as a file may have it
			require.NoError(t, r.ask(t.Context(), call, streamed))
			require.Contains(t, fmt.Sprint(<-headers), key)
		}
	})
}
