package sdk_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// claudeStream writes events as a stream; each is its data.
func claudeStream(list ...string) string {
	var b strings.Builder
	for _, data := range list {
		var e struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			panic(err) // a mistake in this file
		}
		b.WriteString("event: " + e.Type + "\ndata: " + data + "\n\n")
	}
	return b.String()
}

// claudeStreams are streams as they stand on the wire.
func claudeStreams() map[string]string {
	const (
		start = `{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-4-8","content":[],"stop_reason":null,"stop_sequence":null,` +
			`"usage":{"input_tokens":12,"cache_creation_input_tokens":7,"cache_read_input_tokens":30,"output_tokens":1,"service_tier":"standard"}}}`
		ping = `{"type":"ping"}`
		stop = `{"type":"message_stop"}`
		text = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
		end  = `{"type":"content_block_stop","index":0}`
	)
	return map[string]string{
		"text": claudeStream(start, text, ping, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello "}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"日本"}}`, end,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}`, stop),
		"thought, text, calls": claudeStream(start,
			`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}`, end,
			`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a moment"}}`, `{"type":"content_block_stop","index":1}`,
			`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}`,
			`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}`,
			`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Ky"}}`,
			`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"iv\"}"}}`, `{"type":"content_block_stop","index":2}`, ping,
			`{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"now","input":{}}}`, `{"type":"content_block_stop","index":3}`,
			`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":13,"cache_creation_input_tokens":8,`+
				`"cache_read_input_tokens":31,"output_tokens":89,"output_tokens_details":{"thinking_tokens":20}}}`, stop),
		"refusal": claudeStream(start, text, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I"}}`, end,
			`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"cyber","explanation":"not this"}},`+
				`"usage":{"output_tokens":3}}`, stop),
		"nothing": claudeStream(start, `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}`, stop),
		"max_tokens": claudeStream(start, text, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I"}}`, end,
			`{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":3}}`, stop),
	}
}

// claudeJoined is a stream of ours as one answer.
func claudeJoined(t *testing.T, c *claude) (*events.ChatResponse, error) {
	t.Helper()
	res := &events.ChatResponse{Choices: make([]events.ChatChoice, 1)}
	choice := &res.Choices[0]
	err := c.ours.Stream(t.Context(), claudeCall(t, `{"prompt":"hi"}`), func(chunk *events.ChatChunk) error {
		res.ID, res.Model, res.Usage, res.ServiceTier = chunk.ID, chunk.Model, chunk.Usage, chunk.ServiceTier
		for _, got := range chunk.Choices {
			choice.Message.Content.Text += got.Delta.Content
			choice.Message.Refusal += got.Delta.Refusal
			for _, call := range got.Delta.ToolCalls {
				if call.ID != "" {
					choice.Message.ToolCalls = append(choice.Message.ToolCalls, call)
					continue
				}
				choice.Message.ToolCalls[*call.Index].Function.Arguments += call.Function.Arguments
			}
			if got.FinishReason != nil {
				choice.FinishReason = *got.FinishReason
			}
		}
		return nil
	})
	return res, err
}

func TestClaudeStreams(t *testing.T) {
	t.Parallel()
	for name, body := range claudeStreams() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveClaude(t, http.StatusOK, "text/event-stream; charset=utf-8", body)
			var theirs anthropic.Message
			stream := c.theirs.Messages.NewStreaming(t.Context(), anthropic.MessageNewParams{})
			for stream.Next() {
				require.NoError(t, theirs.Accumulate(stream.Current()))
			}
			require.NoError(t, stream.Err())
			res, err := claudeJoined(t, c)
			require.NoError(t, err)
			sameAsClaude(t, &theirs, res)
		})
	}
}
