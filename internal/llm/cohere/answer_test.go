package cohere_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnswers has answers whole, as a reader of ours gets them.
func TestAnswers(t *testing.T) {
	t.Parallel()
	said := func(what, finish string) string {
		return `{"id":"r1","finish_reason":"` + finish + `","message":{"role":"assistant",` + what + `}}`
	}
	counted := func(usage string) string {
		return `{"id":"r1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[]},"usage":` + usage + `}`
	}
	const empty = `"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}]`
	for name, c := range map[string]struct{ theirs, ours string }{
		"text": {
			said(`"content":[{"type":"text","text":"a"},{"type":"text","text":" b"}],"tool_calls":null,"tool_plan":null`, "COMPLETE"),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a b"},"finish_reason":"stop"}]`,
		},
		"at a stop": {said(`"content":[]`, "STOP_SEQUENCE"), empty},
		"thoughts": {
			said(`"content":[{"type":"thinking","thinking":"hm"},{"type":"thinking","thinking":"!"},{"type":"text","text":"a"}]`, "MAX_TOKENS"),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"hm!"},"finish_reason":"length"}]`,
		},
		"calls": {
			said(`"tool_plan":"I will look.","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{ \"a\": 1.0 }"}},`+
				`{"id":"c2","type":"function","function":{"name":"g"}}],"citations":[]`, "TOOL_CALL"),
			`"choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":"I will look.","tool_calls":[` +
				`{"id":"c1","type":"function","function":{"name":"f","arguments":"{ \"a\": 1.0 }"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},` +
				`"finish_reason":"tool_calls"}]`,
		},
		"a call that is cut off": {
			said(`"tool_calls":[{"id":"c1","function":{"name":"f"}}]`, "MAX_TOKENS"),
			`"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},` +
				`"finish_reason":"length"}]`,
		},
		"a call at the end of a turn": {
			said(`"content":[{"type":"text","text":"a"}],"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]`, "COMPLETE"),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`"finish_reason":"tool_calls"}]`,
		},
		"citations are left out": {
			said(`"content":[{"type":"text","text":"a"}],"citations":[{"start":0,"end":1,"text":"a","sources":[]}]`, "COMPLETE"),
			`"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]`,
		},
		"tokens before the bill": {
			counted(`{"billed_units":{"input_tokens":1.0,"output_tokens":2.0},"tokens":{"input_tokens":10.0,"output_tokens":20.0},"cached_tokens":7.0}`),
			empty + `,"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":7}}`,
		},
		"the bill only": {
			counted(`{"billed_units":{"input_tokens":1.0,"output_tokens":2.6,"search_units":1},"tokens":{}}`),
			empty + `,"usage":{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4}`,
		},
		"no counts": {counted(`{"billed_units":{},"tokens":null}`), empty},
		"counts that make no sense": {
			counted(`{"tokens":{"input_tokens":-1,"output_tokens":1e300},"cached_tokens":5}`),
			empty + `,"usage":{"prompt_tokens":0,"completion_tokens":1099511627776,"total_tokens":1099511627776}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: c.theirs}
			res, err := r.client(t).Chat(t.Context(), call(t, `{}`))
			require.NoError(t, err)
			require.Positive(t, res.Created)
			res.Created = 5
			got, err := json.Marshal(res)
			require.NoError(t, err)
			require.JSONEq(t, `{"id":"r1","object":"chat.completion","created":5,"model":"command-x",`+c.ours+`}`, string(got))
		})
	}
}
