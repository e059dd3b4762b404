package ollama_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// watched is what came of a stream: every chunk as JSON, and ~ for every sign of life between them.
func watched(t *testing.T, c *ollama.Client, ask *llm.Call) (list []string, err error) {
	t.Helper()
	ask.Alive = func() { list = append(list, "~") }
	id := ""
	err = c.Stream(t.Context(), ask, func(chunk *events.ChatChunk) error {
		require.Positive(t, chunk.Created)
		copied := *chunk
		if id == "" {
			id = copied.ID
		}
		require.Equal(t, id, copied.ID)
		copied.Created, copied.ID = 5, "i"
		text, err := json.Marshal(copied)
		require.NoError(t, err)
		rest, ok := strings.CutPrefix(string(text), `{"id":"i","object":"chat.completion.chunk","created":5,"model":"llama-x:latest","choices":`)
		require.True(t, ok, "%s", text)
		list = append(list, regexp.MustCompile(`call_[A-Z2-7]+`).ReplaceAllString(strings.TrimSuffix(rest, "}"), "made"))
		return nil
	})
	return list, err
}

// TestStreams has streams as they come and what is emitted of them.
func TestStreams(t *testing.T) {
	t.Parallel()
	chunk := func(delta, finish string) string {
		return `[{"index":0,"delta":{` + delta + `},"finish_reason":` + finish + `}]`
	}
	last := func(rest string) string { return head + `"content":""},"done":true` + rest + `}` }
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"thought, then text": {
			line(`"content":"","thinking":"h"`) + line(`"content":"a","thinking":"m"`) + "\n" + nothing + strings.ReplaceAll(line(`"content":" b"`), "\n", "\r\n") +
				last(`,"done_reason":"length","prompt_eval_count":3,"eval_count":4`) + "\n",
			[]string{
				chunk(`"role":"assistant","reasoning_content":"h"`, `null`), chunk(`"content":"a","reasoning_content":"m"`, `null`), "~",
				chunk(`"content":" b"`, `null`), chunk(``, `"length"`), `[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}`,
			},
		},
		"calls": {
			line(`"content":"I look.","tool_calls":[{"id":"c1","function":{"index":0,"name":"f","arguments":{"a": 1}}},{"function":{"name":"g","arguments":{}}}]`) +
				line(`"content":"","tool_calls":[{"function":{"name":"h"}}]`) + last(`,"done_reason":"stop"`) + "\n",
			[]string{
				chunk(`"role":"assistant","content":"I look."`, `null`),
				chunk(`"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]`, `null`),
				chunk(`"tool_calls":[{"index":1,"id":"made","type":"function","function":{"name":"g","arguments":"{}"}}]`, `null`),
				chunk(`"tool_calls":[{"index":2,"id":"made","type":"function","function":{"name":"h","arguments":"{}"}}]`, `null`),
				chunk(``, `"tool_calls"`),
			},
		},
		"everything in the last line, which has no end": {
			head + `"content":"a"},"done":true}`, []string{chunk(`"role":"assistant","content":"a"`, `null`), chunk(``, `"stop"`)},
		},
		"nothing to say": {
			`{"model":"llama-x:latest","done":true,"done_reason":"stop"}` + "\n" + "what comes after the end",
			[]string{chunk(`"role":"assistant"`, `"stop"`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: c.stream}
			got, err := watched(t, r.client(t), call(t, `{}`))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// calling is an answer that thinks, says something and calls two tools.
func calling() llmtest.Reply {
	return llmtest.Reply{
		Said: []llmtest.Said{{
			Text: "Let me look.", Finish: "stop",
			Calls: []llmtest.Called{{ID: "c1", Name: "f", Arguments: `{"a": "b c"}`}, {ID: "c2", Name: "g", Arguments: `{}`}},
		}},
		Usage: llmtest.Usage{Prompt: 30, Completion: 20},
	}
}

// TestReaderLeaves ends the stream with the reader's own error, at whichever chunk it leaves.
func TestReaderLeaves(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	whole := strings.Join(streamOf(calling()), "")
	for after := 0; ; after++ {
		r, n := &recorder{body: whole}, 0
		err := r.client(t).Stream(t.Context(), call(t, `{}`), func(*events.ChatChunk) error {
			if n++; n > after {
				return gone
			}
			return nil
		})
		if err == nil {
			require.Equal(t, n, after)
			require.Greater(t, n, 5)
			return
		}
		require.Equal(t, gone, err)
		require.Equal(t, after+1, n)
	}
}

// TestConnectionIsUsedAgain reads a stream to its very end, so that the next request needs no new connection.
func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, piece := range streamOf(calling()) {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
			w.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // it is one
		}
	}))
	t.Cleanup(server.Close)
	c, reused := connect(t, ollama.Config{BaseURL: server.URL}), 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if info.Reused {
			reused++
		}
	}})
	// On a busy machine the transport may give a connection up by itself, when its writer has not yet said that all was written.
	for n := 0; reused == 0; n++ {
		require.Less(t, n, 500, "no connection is used twice")
		require.NoError(t, c.Stream(ctx, call(t, `{}`), func(*events.ChatChunk) error { return nil }))
	}
}
