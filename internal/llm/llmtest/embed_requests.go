package llmtest

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// readBody is the body of a request that has been read before.
func readBody(req *http.Request) []byte {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil // it cannot be
	}
	return body
}

// sentRequest is a request that was sent.
type sentRequest struct {
	req  *http.Request
	body []byte
}

// sends makes a call that is answered well and returns what was sent.
func (d *EmbedDialect) sends(t *testing.T, call *llm.EmbedCall) sentRequest {
	t.Helper()
	seen := make(chan sentRequest, 1)
	dimensions := call.Dimensions
	if dimensions == 0 {
		dimensions = 4
	}
	r := d.serve(t, func(w http.ResponseWriter, req *http.Request) {
		select {
		case seen <- sentRequest{req, readBody(req)}:
		default:
			t.Error("a second request was made for one call")
		}
		d.says(d.reply(vectorsOf(call.Count(), dimensions)...))(w, req)
	})
	before := *call
	before.Texts, before.Tokens = slices.Clone(call.Texts), slices.Clone(call.Tokens)
	_, err := r.embed(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, before, *call, "the call is the caller's and stays as it was")
	return <-seen
}

// requests: what is asked arrives, in the server's words; the key in a header, and no nulls, of which servers make different things.
func (d *EmbedDialect) requests(t *testing.T) {
	calls := map[string]*llm.EmbedCall{"plain": texts(3), "one": texts(1), "truncate": texts(2), "user": texts(1), "hard texts": texts(1)}
	calls["truncate"].Truncate = true
	calls["user"].User = "user 7"
	calls["hard texts"].Texts = []string{"naïve 日本語 🙂 \"quoted\" \\ \n\t\u0001 </script> \u2028", " ", "<b>&", "{}", "null"}
	for _, kind := range []string{events.InputQuery, events.InputDocument, events.InputClassification, events.InputClustering} {
		calls[kind] = texts(1)
		calls[kind].InputType = kind
	}
	for _, n := range d.Dimensions {
		name := fmt.Sprintf("dimensions %d", n)
		calls[name] = texts(2)
		calls[name].Dimensions = n
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := d.sends(t, call)
			require.Equal(t, http.MethodPost, sent.req.Method)
			require.Equal(t, "application/json", sent.req.Header.Get("Content-Type"))
			require.Contains(t, fmt.Sprint(sent.req.Header), Key)
			require.NotContains(t, sent.req.URL.String(), Key, "addresses stand in logs")
			require.NotContains(t, string(sent.body), Key)
			var body any
			require.NoError(t, json.Unmarshal(sent.body, &body))
			require.False(t, hasNull(body), "%s", sent.body)

			want := EmbedSent{Model: call.Model, Texts: call.Texts, Dimensions: call.Dimensions, InputType: d.InputTypes[call.InputType]}
			if d.Truncates {
				want.Truncate = call.Truncate
			}
			if d.User {
				want.User = call.User
			}
			require.Equal(t, want, d.Sent(t, sent.req, sent.body), "%s", sent.body)
		})
	}
}

// tokens: token ids are sent as they are, or refused before anything is sent.
func (d *EmbedDialect) tokens(t *testing.T) {
	t.Parallel()
	for _, call := range []*llm.EmbedCall{
		{Model: "m", Key: secret.NewValue(Key), Tokens: [][]int32{{0, 9906, math.MaxInt32}}},
		{Model: "m", Key: secret.NewValue(Key), Tokens: [][]int32{{1}, {2, 3}, {1}}, Truncate: true},
	} {
		if d.Tokens == "" {
			r := d.serve(t, d.says(d.reply(vectorsOf(call.Count(), 2)...)))
			_, err := r.embed(t.Context(), call)
			refusesTokens(t, d.fault(t, err))
			require.Zero(t, r.requests.Load())
			continue
		}
		var sent map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(d.sends(t, call).body, &sent))
		want, err := json.Marshal(call.Tokens)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(sent[d.Tokens]))
	}
}

// outputs: types of output that there are not are refused before anything is sent.
func (d *EmbedDialect) outputs(t *testing.T) {
	t.Parallel()
	for _, output := range append(llm.OutputTypes(), "float64") {
		if slices.Contains(d.Outputs, output) {
			continue
		}
		r := d.serve(t, d.says(d.reply(vectorsOf(1, 2)...)))
		call := texts(1)
		call.Output = output
		_, err := r.embed(t.Context(), call)
		refusesOutput(t, d.fault(t, err), output)
		require.Zero(t, r.requests.Load())
	}
}

// refusesOutput checks what is said where vectors of a type cannot be had.
func refusesOutput(t *testing.T, fault *llm.Fault, output llm.OutputType) {
	t.Helper()
	require.Equal(t, llm.ClassUnsupported, fault.Class)
	require.Equal(t, events.CodeUnsupported, fault.Err.Code)
	require.Contains(t, fault.Err.Message, "output_type: ", "it names the field")
	require.Contains(t, fault.Err.Message, output)
}

// refusesTokens checks what is said where token ids cannot be taken.
func refusesTokens(t *testing.T, fault *llm.Fault) {
	t.Helper()
	require.Equal(t, llm.ClassUnsupported, fault.Class)
	require.Equal(t, events.CodeUnsupported, fault.Err.Code)
	require.Contains(t, fault.Err.Message, "input: ", "it names the field")
	require.Contains(t, fault.Err.Message, "token ids")
}

// keys: a live key is read for each request; what cannot be a key is not sent, and is the key's fault; without one, none is sent.
func (d *EmbedDialect) keys(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", " \n", "two words", "two\nlines", "ключ", "a\x00b"} {
		r := d.serve(t, d.says(d.reply(vectorsOf(1, 2)...)))
		call := texts(1)
		call.Key = secret.Live(source(bad))
		_, err := r.embed(t.Context(), call)
		fault := d.fault(t, err)
		require.Equal(t, llm.ClassKey, fault.Class)
		require.Equal(t, events.CodeUnauthenticated, fault.Err.Code)
		require.Zero(t, r.requests.Load())
	}
	for _, key := range []string{"sk-first-1", "sk-second-2"} {
		call := texts(1)
		call.Key = secret.Live(source(" " + key + "\n")) // as a file may have it
		require.Contains(t, fmt.Sprint(d.sends(t, call).req.Header), key)
	}
	call := texts(1)
	call.Key = secret.Value{}
	require.Empty(t, d.sends(t, call).req.Header.Values("Authorization"))
}
