package openai

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What is written without reflection is what is written with it.
func TestPlainRequestsAreWrittenTheSame(t *testing.T) {
	t.Parallel()
	a, err := NewAdapter("test", "http://127.0.0.1:1", http.DefaultClient, Options{})
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(5, 6))
	texts := []string{"", "a word", "\"\\\n\t\x01\x7f\u2028<&>", "ж€😀", "bad\xffutf"}
	text := func() string { return texts[random.IntN(len(texts))] }
	floats := []float64{0, math.Copysign(0, -1), .7, 1, 2, 1e-6, 1e-7, 123456.75, 1e6, -1}
	plain := 0
	for range 5000 {
		r := request{Model: text(), User: text(), Stream: random.IntN(2) == 0}
		said := []events.ChatMessage{}
		for range random.IntN(3) {
			m := events.ChatMessage{
				Role: text(), Content: events.Content{Text: text(), Null: random.IntN(20) == 0}, Name: text(), Refusal: text(), ToolCallID: text(),
			}
			if random.IntN(20) == 0 {
				m.ToolCalls = []events.ToolCall{{ID: "1"}}
			}
			said = append(said, m)
		}
		if random.IntN(2) == 0 {
			r.StreamOptions = &events.StreamOptions{IncludeUsage: random.IntN(5) > 0}
			f, n, seed := floats[random.IntN(len(floats))], random.IntN(3)-1, int64(math.MinInt64)
			r.Temperature, r.TopP, r.N, r.MaxTokens, r.MaxCompletionTokens, r.Seed = &f, &f, &n, &n, &n, &seed
		}
		switch random.IntN(40) {
		case 0:
			r.Tools = jsontext.Value(`[]`)
		case 1:
			r.Extra = map[string]json.RawMessage{"extra": json.RawMessage(`1`)}
		case 2:
			r.Stop = []string{"end"}
		}
		want, wantErr := a.Encode(r.with(said))
		got, err := a.encode(&r, said)
		require.Equal(t, wantErr, err)
		require.Equal(t, string(want), string(got))
		if _, ok := r.plain(said); ok {
			plain++
		}
	}
	require.Greater(t, plain, 100)
}
