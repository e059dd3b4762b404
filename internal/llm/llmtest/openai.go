package llmtest

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// OpenAI is the dialect of OpenAI, and of who speaks it, without New; its provider is called acme.
func OpenAI() Dialect {
	reset := func(header ...string) []string { return append(header, "X-Request-Id: req_1") }
	said := func(choices string) string { return `{"id":"x","choices":[` + choices + `]}` }
	piece := func(choices string) string { return openAIChunk(choices, "null") }
	const begun = `{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}`
	const done = "data: [DONE]\n\n"
	return Dialect{
		Provider: "acme", Answer: openAIAnswer, Stream: openAIStream,
		Finishes: map[string]string{
			"stop": events.FinishStop, "length": events.FinishLength, "tool_calls": events.FinishToolCalls, "content_filter": events.FinishContentFilter,
		},
		Ping:  ": PROCESSING\n\n", // as routers say it
		Tools: true, Choices: true, Cached: true, Reasoning: true,
		Error: openAIError, InAnswer: openAIError,
		InStream: func(message string) string { return "data: " + openAIError(message) + "\n\n" },
		Errors: []Failing{
			{
				Name: "quota", Status: 429, Body: `{"error":{"message":"You exceeded your quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
				Header: []string{"Retry-After: 2"}, Class: llm.ClassQuota, Code: events.CodeRateLimited, Says: "You exceeded your quota",
			},
			{
				Name: "credit", Status: 429, Body: `{"error":{"message":"pay","code":"credit_balance_exhausted"}}`,
				Class: llm.ClassQuota, Code: events.CodeRateLimited,
			},
			{
				Name: "requests used up", Status: 429, Body: `{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}`,
				Header: reset("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 6m0s", "x-ratelimit-remaining-tokens: 100", "x-ratelimit-reset-tokens: 1h"),
				Class:  llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true, RetryAfter: 6 * time.Minute,
			},
			{
				Name: "tokens used up, seconds", Status: 429, Body: `{"error":{"code":"429","message":"Please retry after 27 seconds."}}`,
				Header: reset("x-ratelimit-remaining-requests: 5", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 270"),
				Class:  llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true, RetryAfter: 270 * time.Second,
			},
			{
				Name: "Azure's own header", Status: 429, Body: `{"error":{"code":"429","message":"slow down"}}`, Header: []string{"X-Ms-Retry-After-Ms: 90000"},
				Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true, RetryAfter: 90 * time.Second,
			},
			{
				Name: "a reset that is none", Status: 429, Body: `{"error":{"message":"slow"}}`,
				Header: []string{"x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: soon", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: -5s"},
				Class:  llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true,
			},
			{
				Name: "no such model", Status: 400, Body: `{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
				Class: llm.ClassModel, Code: events.CodeNotFound, Says: "no such model",
			},
			{
				Name: "no such deployment", Status: 404, Body: `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`,
				Class: llm.ClassModel, Code: events.CodeNotFound,
			},
			{
				Name: "filtered", Status: 400, Body: `{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`,
				Class: llm.ClassContent, Code: events.CodeContentRejected, Says: "filtered",
			},
			{
				Name: "too long", Status: 400, Body: `{"error":{"message":"maximum context length is 8192 tokens","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
				Class: llm.ClassUnsupported, Code: events.CodeInvalidArgument, Says: "maximum context length",
			},
			{
				Name: "Azure's gate", Status: 401, Body: `{"statusCode":401,"message":"Access denied due to invalid subscription key"}`,
				Class: llm.ClassKey, Code: events.CodeUnauthenticated, Says: "Access denied",
			},
			{Name: "text-embeddings-inference and Ollama", Status: 500, Body: `{"error":"CUDA out of memory"}`, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "CUDA"},
			{Name: "FastAPI", Status: 422, Body: `{"detail":"bad field"}`, Class: llm.ClassCaller, Code: events.CodeInvalidArgument, Says: "bad field"},
		},
		AnswerErrors: []Failing{
			{Name: "no choices", Body: said(""), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "nothing", Body: `{}`, Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "a list", Body: `[]`, Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "null", Body: `null`, Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "null content", Body: said(`{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"stop"}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "no message", Body: said(`{"index":0,"finish_reason":"stop"}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "no calls", Body: said(`{"index":0,"message":{"content":"a"},"finish_reason":"tool_calls"}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "unknown end", Body: said(`{"index":0,"message":{"content":"a"},"finish_reason":"insufficient_system_resource"}`), Class: llm.ClassAnswer, Code: events.CodeInternal, Says: "insufficient_system_resource"},
			{Name: "content a number", Body: said(`{"index":0,"message":{"content":5},"finish_reason":"stop"}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "index twice", Body: said(`{"index":0,"message":{"content":"a"}},{"index":0,"message":{"content":"b"}}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "index out of range", Body: said(`{"index":1,"message":{"content":"a"}}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "a custom tool", Body: said(`{"index":0,"message":{"content":null,"tool_calls":[{"id":"1","type":"custom","custom":{"name":"x","input":""}}]},"finish_reason":"tool_calls"}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "error", Body: openAIError("CUDA out of memory"), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "CUDA"},
			{Name: "error with a number", Body: `{"error":{"message":"slow down","code":429}}`, Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true},
			{Name: "error as a string", Body: `{"error":"overloaded"}`, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
		},
		StreamErrors: []Failing{
			{Name: "error", Body: piece(begun) + `data: {"error":{"message":"overloaded","type":"overloaded_error"}}` + "\n\n", Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "overloaded"},
			{Name: "error with a number", Body: piece(begun) + `data: {"error":{"message":"slow down","code":429}}` + "\n\n", Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true},
			{Name: "error with a type", Body: `data: {"error":{"message":"bad","type":"invalid_request_error"}}` + "\n\n", Class: llm.ClassCaller, Code: events.CodeInvalidArgument},
			{Name: "error event", Body: piece(begun) + "event: error\ndata: {\"message\":\"it broke\"}\n\n", Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "it broke"},
			{Name: "error of vLLM", Body: `data: {"object":"error","message":"it broke","type":"BadRequestError","code":400}` + "\n\n", Class: llm.ClassCaller, Code: events.CodeInvalidArgument, Says: "it broke"},
			{Name: "failure of vLLM", Body: `data: {"object":"error","message":"it broke","type":"InternalServerError","code":500}` + "\n\n", Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "it broke"},
			{Name: "nothing", Body: "", Class: llm.ClassNetwork, Code: events.CodeUnavailable, Retryable: true},
			{Name: "done at once", Body: done, Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "broke off", Body: piece(begun), Class: llm.ClassNetwork, Code: events.CodeUnavailable, Retryable: true},
			{Name: "not JSON", Body: "data: hello\n\n", Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "goes on after its end", Body: piece(`{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}`) + piece(begun) + done, Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "index out of range", Body: piece(`{"index":1000000,"delta":{"content":"a"}}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "a call without a name", Body: piece(`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "no calls", Body: piece(`{"index":0,"delta":{"content":"a"},"finish_reason":"tool_calls"}`) + done, Class: llm.ClassAnswer, Code: events.CodeInternal},
		},
		Refuses: map[string]string{
			"audio": `{"audio":{"voice":"alloy"}}`, "modalities": `{"modalities":["text","audio"]}`, "functions": `{"functions":[{"name":"f"}]}`,
			"function_call": `{"function_call":"auto"}`, "tools": `{"tools":[{"type":"custom","custom":{"name":"x"}}]}`,
		},
	}
}
