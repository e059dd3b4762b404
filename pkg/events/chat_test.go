package events_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func decodeChat(t *testing.T, body string) events.ChatRequest {
	t.Helper()
	var r events.ChatRequest
	wantNoError(t, events.DecodeJSON([]byte(body), &r))
	return r
}

func TestChatRequestKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	r := decodeChat(t, `{"prompt":"hi","logit_bias":{"1":-1},"custom":[1],"gone":null,"seed":null}`)
	wantEqual(t, "number of extras", len(r.Extra), 2)
	wantEqual(t, "logit_bias", string(r.Extra["logit_bias"]), `{"1":-1}`)
	out, err := json.Marshal(r)
	wantNoError(t, err)
	wantEqual(t, "JSON", string(out), `{"custom":[1],"logit_bias":{"1":-1},"prompt":"hi"}`)
	if decodeChat(t, `{"prompt":"hi"}`).Extra != nil {
		t.Fatal("no extras are nil")
	}
}

func TestChatRequestExtrasCannotReplaceFields(t *testing.T) {
	t.Parallel()
	r := events.ChatRequest{Prompt: "hi", Extra: map[string]json.RawMessage{
		"model": json.RawMessage(`"expensive"`), "stream": json.RawMessage("true"), "prompt": json.RawMessage(`"other"`), "x": json.RawMessage("1"),
	}}
	out, err := json.Marshal(r)
	wantNoError(t, err)
	wantEqual(t, "JSON", string(out), `{"prompt":"hi","x":1}`)
	// A field in another case would be one field to us and another to a provider.
	for _, bad := range []string{`{"prompt":"hi","Model":"x"}`, `{"prompt":"hi","STREAM":true}`, `{"prompt":"hi","ſtream":true}`} {
		wantError(t, events.DecodeJSON([]byte(bad), new(events.ChatRequest)), events.CodeInvalidArgument, "is not a field")
	}
}

func TestChatRequestValidate(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		`{"prompt":"hi"}`, `{"messages":[{"role":"user","content":"hi"}]}`,
		`{"messages":[{"role":"developer","content":"x"},{"role":"system","content":[]},{"role":"assistant","content":null},{"role":"tool","content":"x"}]}`,
		`{"prompt":"hi","temperature":0,"top_p":1,"max_tokens":1,"max_completion_tokens":1,"n":128,"stop":["a","b","c","d"],"seed":-1}`,
		`{"prompt":"hi","temperature":2,"stop":"x"}`, `{"prompt":"hi","stop":null}`,
	} {
		wantNoError(t, decodeChat(t, good).Validate())
	}
	for bad, word := range map[string]string{
		`{}`:              "nothing to answer",
		`{"messages":[]}`: "nothing to answer",
		`{"prompt":""}`:   "nothing to answer",
		`{"prompt":"a","messages":[{"role":"user","content":"b"}]}`:                       "exclude",
		`{"prompt":"a","temperature":-0.1}`:                                               "temperature",
		`{"prompt":"a","temperature":2.1}`:                                                "temperature",
		`{"prompt":"a","top_p":0}`:                                                        "top_p",
		`{"prompt":"a","top_p":1.01}`:                                                     "top_p",
		`{"prompt":"a","max_tokens":0}`:                                                   "max_tokens",
		`{"prompt":"a","max_completion_tokens":-5}`:                                       "max_completion_tokens",
		`{"prompt":"a","n":0}`:                                                            "n is 0",
		`{"prompt":"a","n":129}`:                                                          "n is 129",
		`{"prompt":"a","stop":["1","2","3","4","5"]}`:                                     "stop",
		`{"messages":[{"role":"user","content":"a"},{"role":"root","content":"b"}]}`:      "messages[1].role",
		`{"messages":[{"content":"a"}]}`:                                                  "messages[0].role",
		`{"messages":[` + strings.Repeat(`{"role":"user","content":"a"},`, 4096) + `{}]}`: "4097",
	} {
		wantError(t, decodeChat(t, bad).Validate(), events.CodeInvalidArgument, word)
	}
	for bad, word := range map[string]string{
		`{"prompt":5}`:        "prompt must be a string",
		`{"messages":{}}`:     "messages must be a list",
		`{"messages":["hi"]}`: "messages[0] must be an object",
		`{"messages":[{"role":"user","content":5}]}`:      "content must be",
		`{"messages":[{"role":"user","content":["a"]}]}`:  "content part",
		`{"messages":[{"role":"user","content":[null]}]}`: "content part",
		`{"messages":[{"role":"user","content":[{}]}]}`:   "content part must have a type",
		`{"prompt":"a","stop":5}`:                         "stop must be",
		`{"prompt":"a","stop":[1]}`:                       "stop must be",
		`{"prompt":"a","stream":"yes"}`:                   "stream must be true or false",
		`{"prompt":"a","n":1.5}`:                          "n must be a whole number",
		`{"prompt":"a","temperature":1e999}`:              "temperature",
		`[]`:                                              "object",
	} {
		wantError(t, events.DecodeJSON([]byte(bad), new(events.ChatRequest)), events.CodeInvalidArgument, word)
	}
}

func TestChatRequestHelpers(t *testing.T) {
	t.Parallel()
	prompt := decodeChat(t, `{"prompt":"hi"}`).Conversation()
	wantEqual(t, "messages", len(prompt), 1)
	wantEqual(t, "role", prompt[0].Role, events.RoleUser)
	wantEqual(t, "text", prompt[0].Content.String(), "hi")
	wantEqual(t, "messages", len(decodeChat(t, `{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`).Conversation()), 2)
	for body, want := range map[string]int{`{"prompt":"a"}`: 0, `{"prompt":"a","max_tokens":7}`: 7, `{"prompt":"a","max_tokens":7,"max_completion_tokens":9}`: 9} {
		limit, ok := decodeChat(t, body).TokenLimit()
		wantEqual(t, "limit", limit, want)
		wantEqual(t, "ok", ok, want > 0)
	}
}

func TestContent(t *testing.T) {
	t.Parallel()
	for in, text := range map[string]string{
		`"hi"`: "hi", `""`: "", `null`: "", `[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"b"}]`: "a\nb",
		`[{"type":"audio","x":[1]}]`: "",
	} {
		var c events.Content
		wantNoError(t, json.Unmarshal([]byte(in), &c))
		wantEqual(t, "text", c.String(), text)
		wantEqual(t, "null", c.Null, in == "null")
		out, err := json.Marshal(c)
		wantNoError(t, err)
		wantEqual(t, "JSON", string(out), in)
	}
	out, err := json.Marshal(events.Content{Parts: []events.ContentPart{{Type: "text", Text: "made here"}}})
	wantNoError(t, err)
	wantEqual(t, "JSON", string(out), `[{"text":"made here","type":"text"}]`)
}

func TestChatChunkKeepsNull(t *testing.T) {
	t.Parallel()
	out, err := json.Marshal(events.ChatChunk{Choices: []events.ChatChunkChoice{{Delta: events.ChatDelta{Content: "x"}}}})
	wantNoError(t, err)
	if !strings.Contains(string(out), `"finish_reason":null`) {
		t.Fatalf("finish_reason must be null until the end: %s", out)
	}
}
