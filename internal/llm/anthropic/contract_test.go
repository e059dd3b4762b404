package anthropic_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
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

// counts writes a usage; what is cached is divided into what was read and what was written by who asks for it.
func counts(u llmtest.Usage) string {
	return `{"input_tokens":` + strconv.Itoa(u.Prompt-u.Cached) + `,"cache_read_input_tokens":` + strconv.Itoa(u.Cached) +
		`,"cache_creation_input_tokens":0,"output_tokens":` + strconv.Itoa(u.Completion) +
		`,"output_tokens_details":{"thinking_tokens":` + strconv.Itoa(u.Reasoning) + `},"service_tier":"standard"}`
}

// answerOf writes a whole answer, with a thought in front.
func answerOf(r llmtest.Reply) string {
	said := r.Said[0]
	blocks := []string{`{"type":"thinking","thinking":"hm","signature":"c2ln"}`}
	if said.Text != "" {
		blocks = append(blocks, `{"type":"text","text":`+quote(said.Text)+`,"citations":null}`)
	}
	for _, call := range said.Calls {
		blocks = append(blocks, `{"type":"tool_use","id":`+quote(call.ID)+`,"name":`+quote(call.Name)+`,"input":`+call.Arguments+`}`)
	}
	return `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":[` + strings.Join(blocks, ",") +
		`],"stop_reason":` + quote(said.Finish) + `,"stop_sequence":null,"usage":` + counts(r.Usage) + `}`
}

// event writes one event of a stream.
func event(name, rest string) string {
	return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + rest + "}\n\n"
}

// start is how every stream begins.
const start = `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":[],"stop_reason":null,` +
	`"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}`

// ping is an event that says nothing.
var ping = event("ping", "") //nolint:gochecknoglobals // a constant, but for the function

// streamOf writes an answer as a stream: a thought, the text, the calls.
func streamOf(r llmtest.Reply) []string {
	said := r.Said[0]
	var all []string
	index, first := -1, event("message_start", start)+ping
	add := func(name, rest string) { all, first = append(all, first+event(name, rest)), "" }
	delta := func(rest string) {
		add("content_block_delta", `,"index":`+strconv.Itoa(index)+`,"delta":{"type":`+rest+`}`)
	}
	block := func(what string, pieces ...string) {
		index++
		add("content_block_start", `,"index":`+strconv.Itoa(index)+`,"content_block":{"type":`+what+`}`)
		for _, piece := range pieces {
			delta(piece)
		}
		add("content_block_stop", `,"index":`+strconv.Itoa(index))
	}
	if said.Text != "" {
		var pieces []string
		for _, piece := range llmtest.Cut(said.Text) {
			pieces = append(pieces, `"text_delta","text":`+quote(piece))
		}
		first += thought
		index++
		block(`"text","text":""`, pieces...)
		// The first piece that the server flushes has output in it.
		all = append([]string{all[0] + all[1]}, all[2:]...)
	}
	for _, call := range said.Calls {
		pieces := []string{`"input_json_delta","partial_json":""`}
		if call.Arguments != "{}" {
			for _, piece := range llmtest.Cut(call.Arguments) {
				pieces = append(pieces, `"input_json_delta","partial_json":`+quote(piece))
			}
		}
		block(`"tool_use","id":`+quote(call.ID)+`,"name":`+quote(call.Name)+`,"input":{}`, pieces...)
	}
	add("message_delta", `,"delta":{"stop_reason":`+quote(said.Finish)+`,"stop_sequence":null},"usage":`+counts(r.Usage))
	add("message_stop", "")
	return all
}

// thought is a block of thinking, which is block 0.
var thought = event("content_block_start", `,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}`) + //nolint:gochecknoglobals // as ping
	event("content_block_delta", `,"index":0,"delta":{"type":"thinking_delta","thinking":"hm"}`) +
	event("content_block_delta", `,"index":0,"delta":{"type":"signature_delta","signature":"c2ln"}`) +
	event("content_block_stop", `,"index":0`)

// failure writes the body of an error.
func failure(kind, message string) string {
	return `{"type":"error","error":{"type":` + quote(kind) + `,"message":` + quote(message) + `},"request_id":"req_1"}`
}

// dialect is the protocol for the suite.
func dialect() llmtest.Dialect {
	return llmtest.Dialect{
		New: func(t testing.TB, url string, client *http.Client) llm.Adapter {
			t.Helper()
			return connect(t, anthropic.Config{BaseURL: url, HTTP: client})
		},
		Provider: "anthropic",
		Answer:   answerOf, Stream: streamOf, Preface: ping, Ping: ping,
		Finishes: map[string]string{
			"end_turn": events.FinishStop, "stop_sequence": events.FinishStop, "pause_turn": events.FinishStop,
			"max_tokens": events.FinishLength, "model_context_window_exceeded": events.FinishLength,
			"tool_use": events.FinishToolCalls, "refusal": events.FinishContentFilter,
		},
		Tools: true, Cached: true, Reasoning: true,
		Error:        func(message string) string { return failure("api_error", message) },
		InAnswer:     func(message string) string { return failure("api_error", message) },
		InStream:     func(message string) string { return "event: error\ndata: " + failure("api_error", message) + "\n\n" },
		Errors:       failures(),
		AnswerErrors: badAnswers(), StreamErrors: badStreams(),
		Refuses: refusals(),
	}
}

func TestContract(t *testing.T) { //nolint:paralleltest // the suite decides what is parallel
	llmtest.RunAdapter(t, dialect())
}

// failures are answers with a status of their own.
func failures() []llmtest.Failing {
	bad := func(name string, status int, kind string, class llm.Class, code events.Code, retryable bool) llmtest.Failing {
		return llmtest.Failing{Name: name, Status: status, Body: failure(kind, "said so"), Class: class, Code: code, Retryable: retryable, Says: "said so"}
	}
	limited := bad("limit", 429, "rate_limit_error", llm.ClassLimit, events.CodeRateLimited, true)
	asked := limited
	asked.Name, asked.RetryAfter = "limit with Retry-After", 7*time.Second
	asked.Header = []string{ // what asks for less says it for this very request
		"retry-after: 7", "anthropic-ratelimit-requests-remaining: 0",
		"anthropic-ratelimit-requests-reset: " + time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}
	return []llmtest.Failing{
		limited, asked,
		bad("invalid", 400, "invalid_request_error", llm.ClassCaller, events.CodeInvalidArgument, false),
		bad("key", 401, "authentication_error", llm.ClassKey, events.CodeUnauthenticated, false),
		bad("billing", 402, "billing_error", llm.ClassQuota, events.CodeRateLimited, false),
		bad("billing as a limit", 429, "billing_error", llm.ClassQuota, events.CodeRateLimited, false),
		bad("permission", 403, "permission_error", llm.ClassKey, events.CodePermissionDenied, false),
		bad("no model", 404, "not_found_error", llm.ClassModel, events.CodeNotFound, false),
		bad("too large", 413, "request_too_large", llm.ClassCaller, events.CodeInvalidArgument, false),
		bad("server", 500, "api_error", llm.ClassProvider, events.CodeUnavailable, true),
		bad("timeout", 504, "timeout_error", llm.ClassTimeout, events.CodeDeadlineExceeded, true),
		bad("overloaded", 529, "overloaded_error", llm.ClassProvider, events.CodeUnavailable, true),
	}
}

// inBand are the errors that come with status 200.
func inBand(write func(body string) string) []llmtest.Failing {
	bad := func(kind string, class llm.Class, code events.Code, retryable bool) llmtest.Failing {
		return llmtest.Failing{Name: kind, Body: write(failure(kind, "said so")), Class: class, Code: code, Retryable: retryable, Says: "said so"}
	}
	return []llmtest.Failing{
		bad("overloaded_error", llm.ClassProvider, events.CodeUnavailable, true),
		bad("api_error", llm.ClassProvider, events.CodeUnavailable, true),
		bad("invalid_request_error", llm.ClassCaller, events.CodeInvalidArgument, false),
		bad("authentication_error", llm.ClassKey, events.CodeUnauthenticated, false),
		bad("billing_error", llm.ClassQuota, events.CodeRateLimited, false),
		bad("rate_limit_error", llm.ClassLimit, events.CodeRateLimited, true),
		bad("timeout_error", llm.ClassTimeout, events.CodeDeadlineExceeded, true),
	}
}

// broken is an answer that breaks the protocol.
func broken(name, body, says string) llmtest.Failing {
	return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
}

// badAnswers are answers of status 200 that are none.
func badAnswers() []llmtest.Failing {
	message := func(content, stop string) string {
		return `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":` + content + `,"stop_reason":` + stop + `}`
	}
	page := broken("a page", "<html></html>", "content type")
	page.Header = []string{"Content-Type: text/html"}
	return append(inBand(func(body string) string { return body }),
		page,
		broken("nothing", "", "JSON"),
		broken("another thing", `{"type":"completion","completion":"hi"}`, `"completion"`),
		broken("no content", message(`null`, `"end_turn"`), "no content"),
		broken("no reason", message(`[]`, `null`), "reason"),
		broken("an unknown reason", message(`[]`, `"bored"`), `"bored"`),
		broken("a call without an id", message(`[{"type":"tool_use","id":"","name":"f","input":{}}]`, `"tool_use"`), "no id"),
		broken("a call whose input is a text", message(`[{"type":"tool_use","id":"a","name":"f","input":"{}"}]`, `"tool_use"`), "content[0]"),
		broken("a call without input", message(`[{"type":"tool_use","id":"a","name":"f"}]`, `"tool_use"`), "content[0]"),
		broken("two calls of one id", message(`[{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"a","name":"f","input":{}}]`,
			`"tool_use"`), "same id"),
		broken("a call that is missing", message(`[{"type":"text","text":"hi"}]`, `"tool_use"`), "has none"),
		broken("a block of another kind", message(`[{"type":"server_tool_use","id":"a","name":"f","input":{}}]`, `"end_turn"`), `"server_tool_use"`),
	)
}

// badStreams are streams that break the protocol, or off.
func badStreams() []llmtest.Failing {
	begin := event("message_start", start)
	text := begin + event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	delta := func(what string) string { return event("content_block_delta", `,"index":0,"delta":{"type":`+what+`}`) }
	call := begin + event("content_block_start", `,"index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}`)
	stop := event("message_delta", `,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}`)
	off := func(name, body string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassNetwork, Code: events.CodeUnavailable, Retryable: true, Says: "ended before"}
	}
	return append(inBand(func(body string) string { return begin + "event: error\ndata: " + body + "\n\n" }),
		off("nothing", ""), off("a start only", begin), off("half a text", text+delta(`"text_delta","text":"hi"`)),
		off("all but the end", text+delta(`"text_delta","text":"hi"`)+stop),
		broken("no JSON", begin+"data: {\n\n", "JSON"),
		broken("OpenAI's end", begin+"data: [DONE]\n\n", "JSON"),
		broken("two starts", begin+begin, "twice"),
		broken("a start without a message", event("message_start", ""), "without a message"),
		broken("no start", delta(`"text_delta","text":"hi"`), "before its start"),
		broken("no block", begin+delta(`"text_delta","text":"hi"`), "block 0"),
		broken("a negative block", text+strings.Replace(delta(`"text_delta","text":"hi"`), `"index":0`, `"index":-1`, 1), "block -1"),
		broken("a block that was closed", text+event("content_block_stop", `,"index":0`)+delta(`"text_delta","text":"hi"`), "block 0"),
		broken("a block ahead", begin+event("content_block_start", `,"index":7,"content_block":{"type":"text","text":""}`), "block 7"),
		broken("an empty block", begin+event("content_block_start", `,"index":0`), "saying which"),
		broken("a block of another kind", begin+event("content_block_start", `,"index":0,"content_block":{"type":"web_search_tool_result"}`), "web_search"),
		broken("a text in a call", call+delta(`"text_delta","text":"hi"`), "text_delta"),
		broken("a thought in a text", text+delta(`"thinking_delta","thinking":"hm"`), "thinking_delta"),
		broken("arguments in a text", text+delta(`"input_json_delta","partial_json":"{}"`), "input_json_delta"),
		broken("a piece of another kind", text+delta(`"smell_delta"`), "smell_delta"),
		broken("a long id", begin+event("content_block_start", `,"index":0,"content_block":{"type":"tool_use","id":"`+strings.Repeat("a", 2000)+`","name":"f"}`), "2000 bytes"),
		broken("a call without a name", begin+event("content_block_start", `,"index":0,"content_block":{"type":"tool_use","id":"a"}`), "no name"),
		broken("an unknown reason", text+event("message_delta", `,"delta":{"stop_reason":"bored"}`)+event("message_stop", ""), "bored"),
		broken("no reason", text+event("message_stop", ""), "reason"),
		broken("a call that is missing", begin+event("message_delta", `,"delta":{"stop_reason":"tool_use"}`)+event("message_stop", ""), "has none"),
	)
}
