package cohere_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// quote writes a string as JSON.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(text)
}

// counts writes a usage, as floating as the server's.
func counts(u llmtest.Usage) string {
	return `{"billed_units":{"input_tokens":` + strconv.Itoa(u.Prompt-2) + `.0,"output_tokens":` + strconv.Itoa(u.Completion-1) +
		`.0},"tokens":{"input_tokens":` + strconv.Itoa(u.Prompt) + `.0,"output_tokens":` + strconv.Itoa(u.Completion) +
		`.0},"cached_tokens":` + strconv.Itoa(u.Cached) + `.0}`
}

// answerOf writes a whole answer, with a thought, or a plan, in front.
func answerOf(r llmtest.Reply) string {
	said := r.Said[0]
	content := []string{`{"type":"thinking","thinking":"hm"}`}
	if said.Text != "" {
		content = append(content, `{"type":"text","text":`+quote(said.Text)+`}`)
	}
	message := `"role":"assistant","content":[` + strings.Join(content, ",") + `]`
	var calls []string
	for _, call := range said.Calls {
		calls = append(calls, `{"id":`+quote(call.ID)+`,"type":"function","function":{"name":`+quote(call.Name)+`,"arguments":`+quote(call.Arguments)+`}}`)
	}
	if calls != nil {
		message += `,"tool_plan":"I will look.","tool_calls":[` + strings.Join(calls, ",") + `]`
	}
	return `{"id":"r1","message":{` + message + `},"finish_reason":` + quote(said.Finish) + `,"usage":` + counts(r.Usage) + `}`
}

// event writes one event of a stream.
func event(name, rest string) string {
	return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + rest + "}\n\n"
}

// message writes an event that adds to the message.
func message(name, index, what string) string {
	return event(name, `,"index":`+index+`,"delta":{"message":{`+what+`}}`)
}

// start is how every stream begins.
const start = "event: message-start\ndata: " +
	`{"id":"r1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}` + "\n\n"

// debug is an event that says nothing.
const debug = "event: debug\ndata: {\"type\":\"debug\",\"prompt\":\"x\"}\n\n"

// streamOf writes an answer as a stream: a thought, the text, the calls.
func streamOf(r llmtest.Reply) []string {
	said := r.Said[0]
	var all []string
	first := start + message("content-start", "0", `"content":{"type":"thinking","thinking":""}`)
	add := func(piece string) { all, first = append(all, first+piece), "" }
	if said.Text == "" {
		add(message("tool-plan-delta", "0", `"tool_plan":"I will look."`))
	} else {
		first += message("content-end", "0", "") + message("content-start", "1", `"content":{"type":"text","text":""}`)
		for _, piece := range llmtest.Cut(said.Text) {
			add(message("content-delta", "1", `"content":{"text":`+quote(piece)+`}`))
		}
		add(event("content-end", `,"index":1`))
	}
	for i, call := range said.Calls {
		index := strconv.Itoa(i)
		add(message("tool-call-start", index, `"tool_calls":{"id":`+quote(call.ID)+`,"type":"function","function":{"name":`+quote(call.Name)+`,"arguments":""}}`))
		if call.Arguments != "{}" {
			for _, piece := range llmtest.Cut(call.Arguments) {
				add(message("tool-call-delta", index, `"tool_calls":{"function":{"arguments":`+quote(piece)+`}}`))
			}
		}
		add(event("tool-call-end", `,"index":`+index))
	}
	add(event("message-end", `,"id":"r1","delta":{"finish_reason":`+quote(said.Finish)+`,"usage":`+counts(r.Usage)+`}`))
	return all
}

// failure writes the body of an error.
func failure(message string) string { return `{"id":"e1","message":` + quote(message) + `}` }

// dialect is the protocol for the suite.
func dialect() llmtest.Dialect {
	return llmtest.Dialect{
		New: func(t testing.TB, url string, client *http.Client) llm.Adapter {
			t.Helper()
			return connect(t, cohere.Config{BaseURL: url + "/v2", HTTP: client})
		},
		Provider: "cohere",
		Answer:   answerOf, Stream: streamOf, Ping: debug,
		Finishes: map[string]string{
			"COMPLETE": events.FinishStop, "STOP_SEQUENCE": events.FinishStop, "MAX_TOKENS": events.FinishLength, "TOOL_CALL": events.FinishToolCalls,
		},
		Tools: true, Cached: true,
		Error: failure,
		InStream: func(message string) string {
			return event("message-end", `,"delta":{"finish_reason":"ERROR","error":`+quote(message)+`}`)
		},
		Errors:       failures(),
		AnswerErrors: badAnswers(), StreamErrors: badStreams(),
		Refuses: refusals(),
	}
}

func TestContract(t *testing.T) { //nolint:paralleltest // the suite decides what is parallel
	llmtest.RunAdapter(t, dialect())
}

func FuzzAnswer(f *testing.F) { llmtest.FuzzAnswer(f, dialect()) }

func FuzzStream(f *testing.F) { llmtest.FuzzStream(f, dialect()) }
