package anthropic_test

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
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// watched is what came of a stream: every chunk as JSON, and ~ for every sign of life between them.
func watched(t *testing.T, c *anthropic.Client, ask *llm.Call) (list []string, err error) {
	t.Helper()
	ask.Alive = func() { list = append(list, "~") }
	err = c.Stream(t.Context(), ask, func(chunk *events.ChatChunk) error {
		require.Positive(t, chunk.Created)
		copied := *chunk
		copied.Created = 5
		text, err := json.Marshal(copied)
		require.NoError(t, err)
		rest, ok := strings.CutPrefix(string(text), `{"id":"msg_1","object":"chat.completion.chunk","created":5,"model":"claude-x-1","choices":`)
		require.True(t, ok, "%s", text)
		list = append(list, strings.TrimSuffix(rest, "}"))
		return nil
	})
	return list, err
}

// TestStreams has streams as they come and what is emitted of them.
func TestStreams(t *testing.T) {
	t.Parallel()
	begin := event("message_start", start)
	block := func(index, what string) string {
		return event("content_block_start", `,"index":`+index+`,"content_block":{"type":`+what+`}`)
	}
	delta := func(index, what string) string {
		return event("content_block_delta", `,"index":`+index+`,"delta":{"type":`+what+`}`)
	}
	closed := func(index string) string { return event("content_block_stop", `,"index":`+index) }
	end := func(rest string) string {
		return event("message_delta", `,"delta":{"stop_reason":`+rest) + event("message_stop", "")
	}
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"text": {
			begin + ping + block("0", `"text","text":""`) + delta("0", `"text_delta","text":"a"`) + ping + delta("0", `"text_delta","text":" b"`) +
				closed("0") + end(`"end_turn"},"usage":{"output_tokens":4}`),
			[]string{
				"~", "~", "~",
				`[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]`, "~",
				`[{"index":0,"delta":{"content":" b"},"finish_reason":null}]`, "~", "~",
				`[{"index":0,"delta":{},"finish_reason":"stop"}]`,
				`[],"usage":{"prompt_tokens":25,"completion_tokens":4,"total_tokens":29}`,
			},
		},
		"thought, then calls": {
			begin + thought + block("1", `"tool_use","id":"c1","name":"f","input":{}`) + delta("1", `"input_json_delta","partial_json":""`) +
				delta("1", `"input_json_delta","partial_json":"{\"a\""`) + delta("1", `"input_json_delta","partial_json":":1}"`) + closed("1") +
				block("2", `"tool_use","id":"c2","name":"g","input":{}`) + closed("2") +
				block("3", `"tool_use","id":"c3","name":"g","input":{ "b" : 2 }`) + closed("3") + end(`"tool_use"}`),
			[]string{
				"~", "~", `[{"index":0,"delta":{"role":"assistant","reasoning_content":"hm"},"finish_reason":null}]`, "~", "~",
				`[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]`, "~",
				`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]},"finish_reason":null}]`,
				`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":null}]`, "~",
				`[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":null}]`,
				`[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"finish_reason":null}]`,
				`[{"index":0,"delta":{"tool_calls":[{"index":2,"id":"c3","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":null}]`,
				`[{"index":0,"delta":{"tool_calls":[{"index":2,"function":{"arguments":"{\"b\":2}"}}]},"finish_reason":null}]`, "~",
				`[{"index":0,"delta":{},"finish_reason":"tool_calls"}]`,
				`[],"usage":{"prompt_tokens":25,"completion_tokens":1,"total_tokens":26}`,
			},
		},
		"blocks side by side": {
			begin + block("0", `"text","text":"a"`) + block("1", `"tool_use","id":"c1","name":"f"`) + delta("0", `"text_delta","text":"b"`) +
				delta("1", `"input_json_delta","partial_json":"{}"`) + closed("1") + closed("0") + end(`"tool_use"}`),
			[]string{
				"~",
				`[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]`,
				`[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]`,
				`[{"index":0,"delta":{"content":"b"},"finish_reason":null}]`,
				`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":null}]`, "~", "~", "~",
				`[{"index":0,"delta":{},"finish_reason":"tool_calls"}]`,
				`[],"usage":{"prompt_tokens":25,"completion_tokens":1,"total_tokens":26}`,
			},
		},
		"a refusal, what is new, and no usage": {
			strings.Replace(begin, `"usage":{"input_tokens":25,"output_tokens":1}`, `"usage":null`, 1) + event("new_event", `,"index":77`) +
				end(`"refusal","stop_details":{"type":"refusal","explanation":"not this"}}`),
			[]string{"~", "~", "~", `[{"index":0,"delta":{"role":"assistant","refusal":"not this"},"finish_reason":"content_filter"}]`},
		},
		"nothing to say": {
			begin + end(`"end_turn"},"usage":{"input_tokens":30,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,"output_tokens":2,`+
				`"output_tokens_details":{"thinking_tokens":1}}`) + "what comes after the end",
			[]string{
				"~", "~", `[{"index":0,"delta":{"role":"assistant"},"finish_reason":"stop"}]`,
				`[],"usage":{"prompt_tokens":37,"completion_tokens":2,"total_tokens":39,"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":4},` +
					`"completion_tokens_details":{"reasoning_tokens":1}}`,
			},
		},
		"thoughts in a cipher, and one that starts at once": {
			begin + block("0", `"redacted_thinking","data":"x"`) + closed("0") + block("1", `"thinking","thinking":"a"`) +
				delta("1", `"thinking_delta","thinking":""`) + delta("1", `"thinking_delta","thinking":"b"`) + closed("1") + end(`"end_turn"}`),
			[]string{
				"~", "~", "~", `[{"index":0,"delta":{"role":"assistant","reasoning_content":"a"},"finish_reason":null}]`, "~",
				`[{"index":0,"delta":{"reasoning_content":"b"},"finish_reason":null}]`, "~", "~",
				`[{"index":0,"delta":{},"finish_reason":"stop"}]`,
				`[],"usage":{"prompt_tokens":25,"completion_tokens":1,"total_tokens":26}`,
			},
		},
		"a call that is cut off": {
			begin + block("0", `"tool_use","id":"c1","name":"f"`) + delta("0", `"input_json_delta","partial_json":"{"`) + end(`"max_tokens"}`),
			[]string{
				"~", `[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]`,
				`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]},"finish_reason":null}]`, "~",
				`[{"index":0,"delta":{},"finish_reason":"length"}]`,
				`[],"usage":{"prompt_tokens":25,"completion_tokens":1,"total_tokens":26}`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: c.stream}
			got, err := watched(t, r.client(t, anthropic.Config{}), call(t, `{}`))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestBrokenStreamsTellWhatTheyUsed has streams that break off at any place: what the server has counted was bought.
func TestBrokenStreamsTellWhatTheyUsed(t *testing.T) {
	t.Parallel()
	const prompt = `[],"usage":{"prompt_tokens":25,"completion_tokens":1,"total_tokens":26}`
	pieces := streamOf(calling())
	failed := "event: error\ndata: " + failure("overloaded_error", "said so") + "\n\n"
	begin := event("message_start", start)
	for name, c := range map[string]struct {
		stream, usage string
		class         llm.Class
	}{
		"before anything":   {"", "", llm.ClassNetwork},
		"error at once":     {failed, "", llm.ClassProvider},
		"after the start":   {begin, prompt, llm.ClassNetwork},
		"error after it":    {begin + ping + failed, prompt, llm.ClassProvider},
		"after some words":  {strings.Join(pieces[:3], ""), prompt, llm.ClassNetwork},
		"error after those": {strings.Join(pieces[:3], "") + failed, prompt, llm.ClassProvider},
		"nonsense":          {strings.Join(pieces[:3], "") + "data: {\n\n", prompt, llm.ClassAnswer},
		"all but the end": {
			strings.Join(pieces[:len(pieces)-1], ""),
			`[],"usage":{"prompt_tokens":30,"completion_tokens":20,"total_tokens":50,"prompt_tokens_details":{"cached_tokens":10},"completion_tokens_details":{"reasoning_tokens":5}}`,
			llm.ClassNetwork,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: c.stream}
			got, err := watched(t, r.client(t, anthropic.Config{}), call(t, `{}`))
			require.Equal(t, c.class, llm.FaultOf(err).Class)
			if c.usage == "" {
				require.NotContains(t, strings.Join(got, ""), "usage")
				return
			}
			last, _, _ := strings.Cut(got[len(got)-1], `,"service_tier"`)
			require.Equal(t, c.usage, strings.Replace(last, `"service_tier":"standard",`, "", 1))
		})
	}
}

// TestReaderLeaves ends the stream with the reader's own error, at whichever chunk it leaves.
func TestReaderLeaves(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	whole := strings.Join(streamOf(calling()), "")
	for after := 0; ; after++ {
		r, n := &recorder{body: whole}, 0
		err := r.client(t, anthropic.Config{}).Stream(t.Context(), call(t, `{}`), func(*events.ChatChunk) error {
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
		for _, piece := range streamOf(calling()) {
			_, err := io.WriteString(w, piece)
			if err != nil {
				return
			}
			w.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // it is one
		}
	}))
	t.Cleanup(server.Close)
	c, reused := connect(t, anthropic.Config{BaseURL: server.URL}), 0
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
