package anthropic_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
)

// conversations are messages of our side, and the system and messages that are sent for them.
func conversations() map[string][2]string {
	return map[string][2]string{
		"prompt": {`"prompt":"a"`, `"messages":[` + userA + `]`},
		"system in front, in order": {
			`"messages":[{"role":"system","content":"1"},{"role":"developer","content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},{"role":"system","content":" "},{"role":"user","content":"a"}]`,
			`"system":[{"type":"text","text":"1"},{"type":"text","text":"2"},{"type":"text","text":"3"}],"messages":[` + userA + `]`,
		},
		"a system that says nothing": {
			`"messages":[{"role":"user","content":"a"},{"role":"system","content":"\n"},{"role":"user","content":"a"}]`, `"messages":[` + userA + `,` + userA + `]`,
		},
		"turns": {
			`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"user","content":"d"}]`,
			`"messages":[` + userA + `,{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"}]},{"role":"user","content":[{"type":"text","text":"d"}]}]`,
		},
		"an answer that is begun": {
			`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"The answer is"}]`,
			`"messages":[` + userA + `,{"role":"assistant","content":[{"type":"text","text":"The answer is"}]}]`,
		},
		"white space is kept": {
			`"messages":[{"role":"user","content":" a\n"}]`, `"messages":[{"role":"user","content":[{"type":"text","text":" a\n"}]}]`,
		},
		"calls and results": {
			`"messages":[{"role":"user","content":"a"},` +
				`{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{ \"x\": 1.0e2 }"}},{"id":"c-2","type":"function","function":{"name":"g","arguments":""}}]},` +
				`{"role":"tool","tool_call_id":"c1","name":"f","content":"r1"},{"role":"tool","tool_call_id":"c-2","content":[{"type":"text","text":"r2"},{"type":"text","text":""}]},` +
				`{"role":"user","content":"b"},` +
				`{"role":"assistant","content":"c","tool_calls":[{"id":"c3","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c3","content":""}]`,
			`"messages":[` + userA + `,` +
				`{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{"x":1.0e2}},{"type":"tool_use","id":"c-2","name":"g","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"r1"}]},{"type":"tool_result","tool_use_id":"c-2","content":[{"type":"text","text":"r2"}]}]},` +
				`{"role":"user","content":[{"type":"text","text":"b"}]},` +
				`{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"tool_use","id":"c3","name":"f","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c3"}]}]`,
		},
		"what an assistant said beside": {
			`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"refusal":"no","reasoning_content":"hm","annotations":[]},` +
				`{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"refusal","refusal":"no"}]}]`,
			`"messages":[` + userA + `,{"role":"assistant","content":[{"type":"text","text":"no"}]},` +
				userA + `,{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"text","text":"no"}]}]`,
		},
		"images": {
			`"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/PNG;base64,iVBORw0KGgo=","detail":"auto"}},` +
				`{"type":"image_url","image_url":{"url":"HTTPS://a.example/b.jpg?c=d"}},{"type":"image_url","image_url":{"url":"http://a.example/b.jpg"},"cache_control":{"type":"ephemeral"}}]}]`,
			`"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},` +
				`{"type":"image","source":{"type":"url","url":"HTTPS://a.example/b.jpg?c=d"}},{"type":"image","source":{"type":"url","url":"http://a.example/b.jpg"},"cache_control":{"type":"ephemeral"}}]}]`,
		},
		"a tool's image": {
			`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c1","content":[{"type":"image_url","image_url":{"url":"data:image/webp;base64,AAAA"}}]}]`,
			`"messages":[` + userA + `,{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"image","source":{"type":"base64","media_type":"image/webp","data":"AAAA"}}]}]}]`,
		},
		"a document, kept in the cache": {
			`"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="},"cache_control":{"type":"ephemeral","ttl":"1h"}},` +
				`{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]`,
			`"messages":[{"role":"user","content":[{"type":"document","title":"a.pdf","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"cache_control":{"type":"ephemeral","ttl":"1h"}},` +
				`{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]`,
		},
	}
}

// userA is a user's message "a".
const userA = `{"role":"user","content":[{"type":"text","text":"a"}]}`

func TestConversations(t *testing.T) {
	t.Parallel()
	for name, c := range conversations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: hi}
			_, err := r.client(t, anthropic.Config{}).Chat(t.Context(), call(t, `{`+c[0]+`}`))
			require.NoError(t, err)
			require.JSONEq(t, `{"model":"claude-x","max_tokens":4096,`+c[1]+`}`, r.sent)
		})
	}
}

// TestSystemTurns sends system messages where they stand to models that take them there.
func TestSystemTurns(t *testing.T) {
	t.Parallel()
	r := &recorder{body: hi}
	_, err := r.client(t, anthropic.Config{SystemTurns: true}).Chat(t.Context(), call(t, `{"messages":[{"role":"system","content":"1"},`+
		`{"role":"user","content":"a"},{"role":"developer","content":"2"}]}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"claude-x","max_tokens":4096,"system":[{"type":"text","text":"1"}],"messages":[`+userA+
		`,{"role":"system","content":[{"type":"text","text":"2"}]}]}`, r.sent)
}

// TestLargeImage sends what is large as it came.
func TestLargeImage(t *testing.T) {
	t.Parallel()
	r, data := &recorder{body: hi}, strings.Repeat("Ab0+", 1<<20)
	_, err := r.client(t, anthropic.Config{}).Chat(t.Context(), call(t, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,`+data+`"}}]}]}`))
	require.NoError(t, err)
	require.Contains(t, r.sent, `"data":"`+data+`"`)
}
