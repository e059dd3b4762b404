package anthropic_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// message writes an answer.
func message(content, stop, rest string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":` + content + `,"stop_reason":` + stop + rest + `}`
}

// TestAnswers has answers whole, as a reader of ours gets them.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ theirs, ours string }{
		"text": {
			message(`[{"type":"text","text":"a"},{"type":"text","text":" b"}]`, `"end_turn"`, ``),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a b"},"finish_reason":"stop"}]`,
		},
		"nothing to say": { // after a tool's result a model may have nothing to add
			message(`[]`, `"end_turn"`, ``),
			`"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}]`,
		},
		"thoughts only": {
			message(`[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"redacted_thinking","data":"x"}]`, `"max_tokens"`, ``),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"","reasoning_content":"hm"},"finish_reason":"length"}]`,
		},
		"thoughts in between": {
			message(`[{"type":"thinking","thinking":"a"},{"type":"text","text":"x"},{"type":"thinking","thinking":"b"}]`, `"end_turn"`, ``),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"x","reasoning_content":"ab"},"finish_reason":"stop"}]`,
		},
		"a call": {
			message(`[{"type":"tool_use","id":"c","name":"f","input":{ "a" : [1, "x y"], "b" : 1.0 }}]`, `"tool_use"`, ``),
			`"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":[1,\"x y\"],\"b\":1.0}"}}]},"finish_reason":"tool_calls"}]`,
		},
		"a call at the end of a turn": {
			message(`[{"type":"text","text":"a"},{"type":"tool_use","id":"c","name":"f","input":{}}]`, `"end_turn"`, ``),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]`,
		},
		"a refusal": {
			message(`[]`, `"refusal"`, `,"stop_details":{"type":"refusal","category":"cyber","explanation":"not this"}`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"","refusal":"not this"},"finish_reason":"content_filter"}]`,
		},
		"a refusal that is not explained": {
			message(`[]`, `"refusal"`, `,"stop_details":null`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}]`,
		},
		"usage": {
			message(`[]`, `"end_turn"`, `,"usage":{"input_tokens":1,"cache_read_input_tokens":10,"cache_creation_input_tokens":100,"output_tokens":7,`+
				`"output_tokens_details":{"thinking_tokens":5},"service_tier":"priority"}`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}],"service_tier":"priority",` +
				`"usage":{"prompt_tokens":111,"completion_tokens":7,"total_tokens":118,"prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":100},` +
				`"completion_tokens_details":{"reasoning_tokens":5}}`,
		},
		"usage of a proxy": { // counts that make no sense do no harm
			message(`[]`, `"end_turn"`, `,"usage":{"input_tokens":-1,"cache_read_input_tokens":null,"output_tokens":9223372036854775807,`+
				`"output_tokens_details":{"thinking_tokens":-3}}`),
			`"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}],` +
				`"usage":{"prompt_tokens":0,"completion_tokens":1099511627776,"total_tokens":1099511627776}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: c.theirs}
			res, err := r.client(t, anthropic.Config{}).Chat(t.Context(), call(t, `{}`))
			require.NoError(t, err)
			require.Positive(t, res.Created)
			res.Created = 5
			got, err := json.Marshal(res)
			require.NoError(t, err)
			require.JSONEq(t, `{"id":"msg_1","object":"chat.completion","created":5,"model":"claude-x-1",`+c.ours+`}`, string(got))
		})
	}
}

// TestInvalidUTF8 has an answer whose bytes are no text; what is passed on can be written as JSON.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	r := &recorder{body: message("[{\"type\":\"text\",\"text\":\"\xff\"},{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":\"\xff\"}}]", `"tool_use"`, ``)}
	res, err := r.client(t, anthropic.Config{}).Chat(t.Context(), call(t, `{}`))
	require.NoError(t, err)
	require.Equal(t, events.TextContent("\ufffd"), res.Choices[0].Message.Content)
	require.JSONEq(t, `{"a":"`+"\ufffd"+`"}`, res.Choices[0].Message.ToolCalls[0].Function.Arguments)
}
