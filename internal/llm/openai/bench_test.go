package openai_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// still answers every request with the same body, without a connection.
type still struct{ kind, body string }

// RoundTrip implements [http.RoundTripper].
func (s still) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {s.kind}}, Body: io.NopCloser(strings.NewReader(s.body)),
		ContentLength: int64(len(s.body)), Request: req,
	}, nil
}

// What the adapter itself costs: an answer of 1.2 KB, and a stream of 22 chunks.
func BenchmarkAdapter(b *testing.B) {
	reply := llmtest.Reply{
		Said:  []llmtest.Said{{Text: strings.Repeat("sixteen letters ", 50), Finish: events.FinishStop}},
		Usage: llmtest.Usage{Prompt: 21, Completion: 200},
	}
	d := llmtest.OpenAI()
	b.Run("chat", func(b *testing.B) {
		a, err := openai.NewAdapter("acme", "http://127.0.0.1:9", &http.Client{Transport: still{"application/json", d.Answer(reply)}}, openai.Options{})
		require.NoError(b, err)
		c := call(b, `{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hello there"}],"temperature":0.5}`)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.Chat(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	})
	reply.Said[0].Text = strings.Repeat("word ", 19)
	b.Run("stream", func(b *testing.B) {
		a, err := openai.NewAdapter("acme", "http://127.0.0.1:9", &http.Client{Transport: still{"text/event-stream", strings.Join(d.Stream(reply), "")}}, openai.Options{})
		require.NoError(b, err)
		c := call(b, `{"prompt":"hello there"}`)
		b.ReportAllocs()
		for b.Loop() {
			if err := a.Stream(b.Context(), c, ignore); err != nil {
				b.Fatal(err)
			}
		}
	})
}
