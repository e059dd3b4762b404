package events_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// wholeRequest is a request with everything in it.
const wholeRequest = `{"model":"openai/gpt","messages":[{"role":"system","content":"be \"brief\" é"},
 {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,"}}],"name":"n"},
 {"role":"assistant","content":null,"refusal":"no","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
 {"role":"tool","tool_call_id":"1","content":"42","audio":null}],
 "stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"top_p":1,"max_completion_tokens":7,"n":2,"stop":"x","seed":-3,
 "tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","response_format":{"type":"text"},"user":"u",
 "metadata":{"moral_value":0.7},"logit_bias":null,"reasoning_effort":"low"}`

// The one pass reads what the several of encoding/json do, and says the same of what is wrong.
func TestParseChatRequest(t *testing.T) {
	t.Parallel()
	for _, text := range []string{wholeRequest, `{}`, `{"prompt":"a"}`, ` { "prompt" : "a" } `, `{"prompt":"a","prompt":"b"}`} {
		var want events.ChatRequest
		wantNoError(t, json.Unmarshal([]byte(text), &want))
		got, err := events.ParseChatRequest([]byte(text))
		wantNoError(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\n%+v\n%+v", text, got, want)
		}
	}
	r, err := events.ParseChatRequest([]byte(wholeRequest))
	wantNoError(t, err)
	wantNoError(t, r.Validate())
	wantEqual(t, "messages", len(r.Messages), 4)
	wantEqual(t, "text", r.Messages[0].Content.Text, `be "brief" é`)
	wantEqual(t, "parts", len(r.Messages[1].Content.Parts), 2)
	wantEqual(t, "null", r.Messages[2].Content.Null, true)
	wantEqual(t, "arguments", r.Messages[2].ToolCalls[0].Function.Arguments, "{}")
	wantEqual(t, "extra", len(r.Extra), 2)
	wantEqual(t, "metadata", string(r.Extra["metadata"]), `{"moral_value":0.7}`)
	for bad, word := range map[string]string{
		``:                                  "the body is empty",
		`[]`:                                "must be an object",
		`{"prompt":"a"`:                     "not JSON",
		"{\"prompt\":\"\xff\"}":             "not valid UTF-8",
		`{"prompt":"a","N":3}`:              `write "n"`,
		`{"messages":[{},5]}`:               "messages[1] must be an object",
		`{"messages":[{"a":1},{"role":7}]}`: "messages[1].role must be a string",
		`{"messages":[{"role":"user","tool_calls":{}}]}`:                  "messages[0].tool_calls must be a list",
		`{"stream_options":{"include_usage":3}}`:                          "stream_options.include_usage must be true or false",
		`{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`: "nests deeper",
		`{"prompt":"` + strings.Repeat("a", events.MaxBody) + `"}`:        "bytes; at most",
	} {
		_, err := events.ParseChatRequest([]byte(bad))
		wantError(t, err, events.CodeInvalidArgument, word)
	}
}

func BenchmarkParseChatRequest(b *testing.B) {
	body := []byte(`{"model":"openai/gpt-4o-mini","messages":[{"role":"system","content":"You are terse."},{"role":"user","content":"` +
		strings.Repeat("why is the sky blue? ", 20) + `"}],"temperature":0.2,"max_completion_tokens":200}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.ParseChatRequest(body); err != nil {
			b.Fatal(err)
		}
	}
}
