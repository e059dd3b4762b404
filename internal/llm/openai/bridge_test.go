package openai_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// stream collects the chunks of one stream.
func stream(t *testing.T, c *openai.Client) (chunks []events.ChatChunk, err error) {
	t.Helper()
	err = c.Stream(t.Context(), &events.ChatRequest{Model: "m", Prompt: "hi"}, func(chunk events.ChatChunk) error {
		chunks = append(chunks, chunk)
		return nil
	})
	return chunks, err
}

const (
	first = `data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}` + "\n\n"
	last  = `data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done  = "data: [DONE]\n\n"
)

func TestStreamsAreRepeatedOnlyBeforeTheFirstChunk(t *testing.T) {
	t.Parallel()
	server, client := connect(t, nil)
	server.Script(llmtest.Answer(http.StatusServiceUnavailable, `{}`), llmtest.Stream(""), llmtest.Stream(first+last+done))
	chunks, err := stream(t, client)
	require.NoError(t, err)
	require.Len(t, chunks, 2)
	require.Len(t, server.Requests(), 3)

	server.Script(llmtest.Stream(first))
	chunks, err = stream(t, client)
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.Len(t, chunks, 1)
	require.Len(t, server.Requests(), 4)
}

func TestStreamTimeouts(t *testing.T) {
	t.Parallel()
	hang := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if text != "" {
				llmtest.Stream(text)(w, r)
			}
			<-r.Context().Done()
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		message string
		chunks  int
	}{
		"no headers":       {hang(""), "no first chunk", 0},
		"no first chunk":   {hang(": wait\n\n"), "no first chunk", 0},
		"no further chunk": {hang(first), "no further chunk", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := connect(t, func(c *openai.Config) {
				c.FirstChunk, c.Idle, c.Attempts = 60*time.Millisecond, 50*time.Millisecond, llm.Attempts{}
			})
			server.Script(c.handler)
			chunks, err := stream(t, client)
			require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
			require.ErrorContains(t, err, c.message)
			require.Len(t, chunks, c.chunks)
		})
	}
}
