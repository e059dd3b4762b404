package ollama_test

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// failures are answers with a status of their own.
func failures() []llmtest.Failing {
	return []llmtest.Failing{
		{
			Name: "a model that is not there", Status: 404, Body: failure(`model "m" not found, try pulling it first`),
			Class: llm.ClassModel, Code: events.CodeNotFound, Says: "not found, try pulling it first; to have it: ollama pull m",
		},
		{
			Name: "too much to do", Status: 503, Body: failure("server busy, please try again.  maximum pending requests exceeded"),
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "server busy",
		},
		{Name: "cut off", Status: 499, Body: failure("request canceled"), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
	}
}

// badAnswers are bodies of status 200 that are no answers.
func badAnswers() []llmtest.Failing {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	calls := func(what string) string { return head + `"tool_calls":` + what + `},"done":true,"done_reason":"stop"}` }
	return []llmtest.Failing{
		{Name: "an error", Body: failure("out of memory"), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of memory"},
		{
			Name: "loaded only", Body: head + `"content":""},"done":true,"done_reason":"load"}`,
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "load",
		},
		bad("no message", `{"done":true,"done_reason":"stop"}`, "no message"),
		bad("not done", head+`"content":"a"},"done":false}`, "not done"),
		bad("a line of a stream", head+`"content":"a"}}`, "not done"),
		bad("unknown reason", head+`"content":"a"},"done":true,"done_reason":"bored"}`, "bored"),
		bad("a call without a name", calls(`[{"function":{"arguments":{}}}]`), "no name"),
		bad("arguments that are a text", calls(`[{"function":{"name":"f","arguments":"{}"}}]`), "not an object"),
		bad("two calls with one id", calls(`[{"id":"c","function":{"name":"f","arguments":{}}},{"id":"c","function":{"name":"f","arguments":{}}}]`), "same id"),
		bad("a list", `[]`, "JSON"),
	}
}

// badStreams are streams of status 200 that are no answers.
func badStreams() []llmtest.Failing {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	broken := func(name, body string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassNetwork, Code: events.CodeUnavailable, Retryable: true, Says: "ended"}
	}
	text := line(`"content":"a"`)
	return []llmtest.Failing{
		broken("nothing", ""),
		broken("no end", text),
		broken("half a line", text+text[:20]),
		broken("empty lines only", "\n\r\n \n"),
		{Name: "an error", Body: text + failure("out of memory") + "\n", Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of memory"},
		{Name: "an error without an end", Body: text + failure("out of memory"), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of memory"},
		{
			Name: "loaded only", Body: head + `"content":""},"done":true,"done_reason":"load"}` + "\n",
			Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "load",
		},
		bad("a line without a message", `{"done":false}`+"\n", "no message"),
		bad("unknown reason", head+`"content":""},"done":true,"done_reason":"bored"}`+"\n", "bored"),
		bad("a call without a name", line(`"tool_calls":[{"function":{"arguments":{}}}]`), "no name"),
		bad("arguments that are a text", line(`"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]`), "not an object"),
		bad("an id twice", strings.Repeat(line(`"tool_calls":[{"id":"c","function":{"name":"f"}}]`), 2), "same id"),
		bad("no JSON", "{\n", "JSON"),
		bad("events", "data: "+text+"\n", "JSON"),
		bad("a line without end", `{"a":"`+strings.Repeat("x", 2<<20), "longer than"),
	}
}
