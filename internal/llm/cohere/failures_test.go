package cohere_test

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// failures are answers with a status of their own that others do not send.
func failures() []llmtest.Failing {
	bad := func(name string, status int, class llm.Class, code events.Code, retryable bool) llmtest.Failing {
		return llmtest.Failing{Name: name, Status: status, Body: failure("said so"), Class: class, Code: code, Retryable: retryable, Says: "said so"}
	}
	return []llmtest.Failing{
		bad("a blocked key", 498, llm.ClassKey, events.CodeUnauthenticated, false),
		bad("cut off", 499, llm.ClassProvider, events.CodeUnavailable, true),
		bad("wrong", 422, llm.ClassCaller, events.CodeInvalidArgument, false),
	}
}

// badAnswers are bodies of status 200 that are no answers.
func badAnswers() []llmtest.Failing {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	said := func(what string) string { return `{"id":"r1","finish_reason":"TOOL_CALL","message":{` + what + `}}` }
	return []llmtest.Failing{
		{
			Name: "failed", Body: `{"id":"r1","finish_reason":"ERROR","message":{"role":"assistant"}}`,
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "the model failed",
		},
		{Name: "failed without a message", Body: `{"finish_reason":"ERROR"}`, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
		{
			Name: "took too long", Body: `{"id":"r1","finish_reason":"TIMEOUT","message":{"role":"assistant","content":[]}}`,
			Class: llm.ClassTimeout, Code: events.CodeDeadlineExceeded, Retryable: true, Says: "too long",
		},
		{Name: "an error", Body: failure("out of luck"), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of luck"},
		bad("a message that is a list", `{"id":"r1","finish_reason":"COMPLETE","message":[]}`, "no message"),
		bad("no reason", `{"id":"r1","message":{"role":"assistant","content":[{"type":"text","text":"a"}]}}`, `reason ""`),
		bad("unknown reason", `{"id":"r1","finish_reason":"ERROR_TOXIC","message":{}}`, "ERROR_TOXIC"),
		bad("no message", `{"id":"r1","finish_reason":"COMPLETE"}`, "no message"),
		bad("a call without a call", said(`"content":[]`), "has none"),
		bad("unknown part", said(`"content":[{"type":"image"}]`), `"image"`),
		bad("a call without an id", said(`"tool_calls":[{"type":"function","function":{"name":"f"}}]`), "no id"),
		bad("a call without a name", said(`"tool_calls":[{"id":"c","type":"function"}]`), "no name"),
		bad("a call of another type", said(`"tool_calls":[{"id":"c","type":"custom","function":{"name":"f"}}]`), "custom"),
		bad("two calls with one id", said(`"tool_calls":[{"id":"c","function":{"name":"f"}},{"id":"c","function":{"name":"g"}}]`), "same id"),
		bad("a list", `[]`, "JSON"),
	}
}

// badStreams are streams of status 200 that are no answers.
func badStreams() []llmtest.Failing {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	ended := func(delta string) string { return start + event("message-end", `,"delta":{`+delta+`}`) }
	begun := message("tool-call-start", "0", `"tool_calls":{"id":"c","type":"function","function":{"name":"f"}}`)
	piece := message("tool-call-delta", "0", `"tool_calls":{"function":{"arguments":"{}"}}`)
	return []llmtest.Failing{
		{Name: "nothing", Body: "", Class: llm.ClassNetwork, Code: events.CodeUnavailable, Retryable: true, Says: "ended"},
		{Name: "no end", Body: start, Class: llm.ClassNetwork, Code: events.CodeUnavailable, Retryable: true, Says: "ended"},
		{Name: "failed", Body: ended(`"finish_reason":"ERROR","error":"out of luck"`), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of luck"},
		{Name: "failed for no reason", Body: ended(`"error":"out of luck"`), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of luck"},
		{Name: "took too long", Body: ended(`"finish_reason":"TIMEOUT"`), Class: llm.ClassTimeout, Code: events.CodeDeadlineExceeded, Retryable: true, Says: "too long"},
		bad("two starts", start+start, "starts twice"),
		bad("no start", message("content-delta", "0", `"content":{"text":"a"}`), "before its start"),
		bad("an end without a start", event("message-end", `,"delta":{"finish_reason":"COMPLETE"}`), "before its start"),
		bad("no reason", ended(``), `reason ""`),
		bad("a call without a call", ended(`"finish_reason":"TOOL_CALL"`), "has none"),
		{Name: "an error without a type", Body: start + "data: {\"id\":\"e1\",\"message\":\"out of luck\"}\n\n", Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of luck"},
		{Name: "an error at once", Body: "event: error\ndata: {\"message\":\"out of luck\"}\n\n", Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of luck"},
		bad("calls that are a list", start+message("tool-call-start", "0", `"tool_calls":[{"id":"c"}]`), "with a list"),
		bad("calls that are null", start+message("tool-call-start", "0", `"tool_calls":null`), "without saying which"),
		bad("pieces that are a list", start+begun+message("tool-call-delta", "0", `"tool_calls":[{"function":{"arguments":"{}"}}]`), "with a list"),
		bad("a text that is a list", start+message("content-delta", "0", `"content":[{"type":"text","text":"a"}]`), "with a list"),
		bad("a long id", start+message("tool-call-start", "0", `"tool_calls":{"id":"`+strings.Repeat("c", 2000)+`","function":{"name":"f"}}`), "2000 bytes"),
		bad("a call without a name", start+message("tool-call-start", "0", `"tool_calls":{"id":"c"}`), "no name"),
		bad("a call twice", start+begun+begun, "while it is open"),
		bad("an id twice", start+begun+event("tool-call-end", `,"index":0`)+begun, "same id"),
		bad("a piece of no call", start+piece, "not open"),
		bad("a piece of a call that ended", start+begun+event("tool-call-end", `,"index":0`)+piece, "not open"),
		bad("an unknown part", start+message("content-start", "0", `"content":{"type":"image"}`), `"image"`),
		bad("no JSON", start+"data: {\n\n", "JSON"),
	}
}
