package cohere_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// watched is what came of a stream: every chunk as JSON, and ~ for every sign of life between them.
func watched(t *testing.T, c *cohere.Client, ask *llm.Call) (list []string, err error) {
	t.Helper()
	ask.Alive = func() { list = append(list, "~") }
	err = c.Stream(t.Context(), ask, func(chunk *events.ChatChunk) error {
		require.Positive(t, chunk.Created)
		copied := *chunk
		copied.Created = 5
		text, err := json.Marshal(copied)
		require.NoError(t, err)
		rest, ok := strings.CutPrefix(string(text), `{"id":"r1","object":"chat.completion.chunk","created":5,"model":"command-x","choices":`)
		require.True(t, ok, "%s", text)
		list = append(list, strings.TrimSuffix(rest, "}"))
		return nil
	})
	return list, err
}

// TestStreams has streams as they come and what is emitted of them.
func TestStreams(t *testing.T) {
	t.Parallel()
	ended := func(delta string) string { return event("message-end", `,"id":"r1","delta":{`+delta+`}`) }
	chunk := func(delta, finish string) string {
		return `[{"index":0,"delta":{` + delta + `},"finish_reason":` + finish + `}]`
	}
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"thought, then text": {
			start + message("content-start", "0", `"content":{"type":"thinking","thinking":""}`) + message("content-delta", "0", `"content":{"thinking":"hm"}`) +
				event("content-end", `,"index":0`) + message("content-start", "1", `"content":{"type":"text","text":"a"}`) + debug +
				message("content-delta", "1", `"content":{"text":" b"}`) + event("content-end", `,"index":1`) +
				event("citation-start", `,"index":0,"delta":{"message":{"citations":{"start":0,"end":1,"text":"a"}}}`) + event("citation-end", `,"index":0`) +
				ended(`"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":3.0,"output_tokens":4.0}}`) + "data: [DONE]\n\n",
			[]string{
				"~", "~", chunk(`"role":"assistant","reasoning_content":"hm"`, `null`), "~", chunk(`"content":"a"`, `null`), "~",
				chunk(`"content":" b"`, `null`), "~", "~", "~", chunk(``, `"stop"`), `[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}`,
			},
		},
		"plan, then calls": {
			start + message("tool-plan-delta", "0", `"tool_plan":"I will"`) + message("tool-plan-delta", "0", `"tool_plan":" look."`) +
				message("tool-call-start", "0", `"tool_calls":{"id":"c1","type":"function","function":{"name":"f","arguments":""}}`) +
				message("tool-call-delta", "0", `"tool_calls":{"function":{"arguments":"{\"a\""}}`) +
				message("tool-call-delta", "0", `"tool_calls":{"function":{"arguments":""}}`) +
				message("tool-call-delta", "0", `"tool_calls":{"function":{"arguments":":1}"}}`) + event("tool-call-end", `,"index":0`) +
				message("tool-call-start", "1", `"tool_calls":{"id":"c2","type":"function","function":{"name":"g"}}`) + event("tool-call-end", `,"index":1`) +
				message("tool-call-start", "2", `"tool_calls":{"id":"c3","type":"function","function":{"name":"h","arguments":"{}"}}`) +
				ended(`"finish_reason":"TOOL_CALL"`),
			[]string{
				"~", chunk(`"role":"assistant","reasoning_content":"I will"`, `null`), chunk(`"reasoning_content":" look."`, `null`),
				chunk(`"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]`, `null`),
				chunk(`"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]`, `null`), "~",
				chunk(`"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]`, `null`), "~",
				chunk(`"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":""}}]`, `null`),
				chunk(`"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]`, `null`),
				chunk(`"tool_calls":[{"index":2,"id":"c3","type":"function","function":{"name":"h","arguments":"{}"}}]`, `null`),
				chunk(``, `"tool_calls"`),
			},
		},
		"calls side by side, by the server's numbers": {
			start + message("tool-call-start", "7", `"tool_calls":{"id":"c1","function":{"name":"f"}}`) +
				message("tool-call-start", "3", `"tool_calls":{"id":"c2","function":{"name":"g"}}`) +
				message("tool-call-delta", "7", `"tool_calls":{"function":{"arguments":"{}"}}`) + ended(`"finish_reason":"COMPLETE"`),
			[]string{
				"~", chunk(`"role":"assistant","tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]`, `null`),
				chunk(`"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":""}}]`, `null`),
				chunk(`"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]`, `null`),
				chunk(`"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]`, `null`), chunk(``, `"tool_calls"`),
			},
		},
		"a call that is cut off": {
			start + message("tool-call-start", "0", `"tool_calls":{"id":"c1","function":{"name":"f"}}`) + ended(`"finish_reason":"MAX_TOKENS"`),
			[]string{
				"~", chunk(`"role":"assistant","tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]`, `null`),
				chunk(``, `"length"`),
			},
		},
		"nothing to say": {
			start + event("new-event", `,"index":77`) + ended(`"finish_reason":"COMPLETE"`) + "what comes after the end",
			[]string{"~", "~", chunk(`"role":"assistant"`, `"stop"`)},
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
			Text: "Let me look.", Finish: "TOOL_CALL",
			Calls: []llmtest.Called{{ID: "c1", Name: "f", Arguments: `{"a": "b c"}`}, {ID: "c2", Name: "g", Arguments: `{}`}},
		}},
		Usage: llmtest.Usage{Prompt: 30, Cached: 10, Completion: 20},
	}
}

// TestFailedAnswersTellWhatTheyUsed has an end that is a failure, and counts: that was bought.
func TestFailedAnswersTellWhatTheyUsed(t *testing.T) {
	t.Parallel()
	r := &recorder{body: start + message("content-delta", "0", `"content":{"text":"a"}`) +
		event("message-end", `,"delta":{"finish_reason":"ERROR","error":"out of luck","usage":{"tokens":{"input_tokens":3,"output_tokens":1}}}`)}
	got, err := watched(t, r.client(t), call(t, `{}`))
	require.ErrorContains(t, err, "out of luck")
	require.Equal(t, llm.ClassProvider, llm.FaultOf(err).Class)
	require.Equal(t, `[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}`, got[len(got)-1])
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
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range append(streamOf(calling()), "data: [DONE]\n\n") {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
			w.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // it is one
		}
	}))
	t.Cleanup(server.Close)
	c, reused := connect(t, cohere.Config{BaseURL: server.URL}), 0
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
