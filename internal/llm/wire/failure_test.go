package wire_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestReadError has the bodies of errors that servers are known to send.
func TestReadError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, message string
		reasons       []string
		status        int
		param         string
	}{
		"OpenAI":           {`{"error":{"message":"m","type":"t","param":"p","code":"c"}}`, "m", []string{"t", "c"}, 0, "p"},
		"OpenAI, no code":  {`{"error":{"message":"m","type":"t","param":null,"code":null}}`, "m", []string{"t"}, 0, ""},
		"OpenRouter":       {`{"error":{"message":"m","code":402,"metadata":{}}}`, "m", nil, 402, ""},
		"Azure":            {`{"error":{"code":"429","message":"m"}}`, "m", []string{"429"}, 429, ""},
		"Google":           {`[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]`, "m", []string{"INVALID_ARGUMENT"}, 400, ""},
		"Anthropic":        {`{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}`, "m", []string{"overloaded_error"}, 0, ""},
		"code only":        {`{"error":{"code":"c"}}`, "", []string{"c"}, 0, ""},
		"vLLM":             {`{"object":"error","message":"m","type":"NotFoundError","param":"model","code":404}`, "m", []string{"NotFoundError"}, 404, "model"},
		"vLLM, new":        {`{"error":{"message":"m","type":"BadRequestError","param":null,"code":400}}`, "m", []string{"BadRequestError"}, 400, ""},
		"Mistral":          {`{"object":"error","message":"m","type":"invalid_model","param":null,"code":"1500"}`, "m", []string{"invalid_model", "1500"}, 1500, ""},
		"Mistral, invalid": {`{"object":"error","message":{"detail":[{"type":"missing","loc":["body","messages",0],"msg":"Field required"}]},"type":"invalid_request_error"}`, "body.messages.0: Field required", []string{"invalid_request_error"}, 0, ""},
		"Hugging Face":     {`{"error":"m"}`, "m", nil, 0, ""},
		"TGI":              {`{"error":"m","error_type":"validation"}`, "m", []string{"validation"}, 0, ""},
		"a list":           {`{"error":["a","b"],"warnings":["w"]}`, "a; b", nil, 0, ""},
		"Cohere":           {`{"id":"i","message":"m"}`, "m", nil, 0, ""},
		"Spring":           {`{"status":404,"error":"Not Found","message":"m"}`, "m", []string{"Not Found"}, 404, ""},
		"FastAPI":          {`{"detail":"m"}`, "m", nil, 0, ""},
		"FastAPI, invalid": {`{"detail":[{"loc":["body","n"],"msg":"a","input":"secret"},{"msg":"b"}]}`, "body.n: a; b", nil, 0, ""},
		"detail as object": {`{"detail":{"message":"m","code":"c"}}`, "m", nil, 0, ""},
		"other types":      {`{"error":{"message":7,"type":{},"code":[]}}`, "", nil, 0, ""},
		"nothing known":    {`{"a":1}`, "", nil, 0, ""},
		"null":             {`null`, "", nil, 0, ""},
		"an empty list":    {`[]`, "", nil, 0, ""},
		"a list of other":  {`[1]`, "", nil, 0, ""},
		"no JSON":          {`<html>`, "", nil, 0, ""},
		"deep":             {strings.Repeat(`{"error":`, 50) + `"m"` + strings.Repeat("}", 50), "", nil, 0, ""},
		"very deep":        {strings.Repeat(`[`, 60_000), "", nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, llm.Failure{Message: c.message, Reasons: c.reasons, Status: c.status, Param: c.param}, wire.ReadError([]byte(c.body)))
		})
	}
}

// TestInBand has errors that came with status 200.
func TestInBand(t *testing.T) {
	t.Parallel()
	s := says("").server(t, wire.Config{})
	for body, want := range map[string]llm.Class{
		`{"object":"error","message":"m","type":"BadRequestError","code":400}`:                                   llm.ClassCaller,
		`{"error":{"message":"m","code":"429"}}`:                                                                 llm.ClassLimit,
		`{"type":"error","error":{"type":"overloaded_error","message":"m"}}`:                                     llm.ClassProvider,
		`{"type":"error","error":{"type":"authentication_error","message":"m"}}`:                                 llm.ClassKey,
		`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8"}}`: llm.ClassUnsupported,
		`{"error":{"message":"m","type":"invalid_request_error","code":"insufficient_quota"}}`:                   llm.ClassQuota,
		`{"object":"error","message":"m","type":"invalid_model","param":null,"code":"1500"}`:                     llm.ClassModel,
		`{"error":"m"}`: llm.ClassProvider,
		`{"a":1}`:       llm.ClassProvider,
	} {
		require.Equal(t, want, failed(t, s.InBand([]byte(body))).Class, body)
	}
	require.ErrorContains(t, s.InBand(nil), "does not explain")
}

// TestFailures has what is wrong with the model told apart from what is wrong with the request, on the wire.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		class  llm.Class
		code   events.Code
	}{
		"wrong":              {400, `{"message":"messages is missing"}`, llm.ClassCaller, events.CodeInvalidArgument},
		"OpenAI, too long":   {400, `{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, llm.ClassUnsupported, events.CodeInvalidArgument},
		"vLLM, too long":     {400, `{"object":"error","message":"This model's maximum context length is 8 tokens.","type":"BadRequestError","code":400}`, llm.ClassUnsupported, events.CodeInvalidArgument},
		"Cohere, too long":   {400, `{"message":"too many tokens: size limit exceeded by 5 tokens"}`, llm.ClassUnsupported, events.CodeInvalidArgument},
		"Groq, too large":    {413, `{"error":{"message":"Request too large for model m","type":"tokens","code":"rate_limit_exceeded"}}`, llm.ClassUnsupported, events.CodeInvalidArgument},
		"Ollama, too long":   {400, `{"error":"the input length exceeds the context length"}`, llm.ClassUnsupported, events.CodeInvalidArgument},
		"TEI, too long":      {413, "{\"error\":\"Input validation error: `inputs` must have less than 512 tokens. Given: 534\",\"error_type\":\"Validation\"}", llm.ClassUnsupported, events.CodeInvalidArgument},
		"TEI, too many":      {413, `{"error":"batch size 64 > maximum allowed batch size 32","error_type":"Validation"}`, llm.ClassUnsupported, events.CodeInvalidArgument},
		"words about limits": {429, `{"message":"too many tokens, slow down"}`, llm.ClassLimit, events.CodeRateLimited},
		"a parameter":        {400, `{"error":{"message":"m","param":"max_tokens","code":"unsupported_parameter"}}`, llm.ClassUnsupported, events.CodeUnsupported},
		"Ollama's tools":     {400, `{"error":"registry.ollama.ai/library/x:latest does not support tools"}`, llm.ClassUnsupported, events.CodeUnsupported},
		"DeepSeek's tools":   {400, `{"error":{"message":"deepseek-x does not support Function Calling","type":"invalid_request_error","code":"invalid_request_error"}}`, llm.ClassUnsupported, events.CodeUnsupported},
		"Groq's tools":       {400, `{"error":{"message":"tool calling is not supported with this model","type":"invalid_request_error"}}`, llm.ClassUnsupported, events.CodeUnsupported},
		"words of a filter":  {400, `{"error":{"message":"the policy does not support this","code":"content_filter"}}`, llm.ClassContent, events.CodeContentRejected},
		"words of a failure": {500, `{"error":{"message":"the runner does not support this"}}`, llm.ClassProvider, events.CodeUnavailable},
		"Mistral's models":   {400, `{"object":"error","message":"Invalid model: m","type":"invalid_model","code":"1500"}`, llm.ClassModel, events.CodeNotFound},
		"Groq's models":      {400, `{"error":{"message":"m","type":"invalid_request_error","code":"model_decommissioned"}}`, llm.ClassModel, events.CodeNotFound},
		"the model is wrong": {400, `{"error":{"message":"m","type":"invalid_request_error","param":"model"}}`, llm.ClassModel, events.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := (&reply{status: c.status, body: strings.NewReader(c.body)}).fails(t, wire.Config{})
			require.Equal(t, []any{c.class, c.code}, []any{fault.Class, fault.Err.Code})
		})
	}
	redirect := (&reply{status: 307, header: http.Header{"Location": {"http://canary"}}}).fails(t, wire.Config{})
	require.Equal(t, llm.ClassAnswer, redirect.Class)
}

// TestRetryHints has what servers say of when, and whether, they can be asked again.
func TestRetryHints(t *testing.T) {
	t.Parallel()
	reset := func(h http.Header, now time.Time) time.Time {
		if h.Get("X-Reset") == "" {
			return time.Time{}
		}
		return now.Add(time.Minute)
	}
	for name, c := range map[string]struct {
		header    map[string]string
		wait      time.Duration
		retryable bool
		final     bool
	}{
		"nothing":              {nil, 0, true, false},
		"seconds":              {map[string]string{"Retry-After": "3"}, 3 * time.Second, true, false},
		"milliseconds first":   {map[string]string{"Retry-After-Ms": "1500", "Retry-After": "3"}, 1500 * time.Millisecond, true, false},
		"Azure":                {map[string]string{"X-Ms-Retry-After-Ms": "20"}, 20 * time.Millisecond, true, false},
		"date":                 {map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:00:42 GMT"}, 42 * time.Second, true, false},
		"date that is past":    {map[string]string{"Retry-After": "Fri, 31 Dec 1999 00:00:00 GMT"}, 0, true, false},
		"a hundred years":      {map[string]string{"Retry-After": "3155760000"}, 24 * time.Hour, true, false},
		"no number":            {map[string]string{"Retry-After": "soon"}, 0, true, false},
		"reset":                {map[string]string{"X-Reset": "1"}, time.Minute, true, false},
		"reset and seconds":    {map[string]string{"X-Reset": "1", "Retry-After": "3"}, 3 * time.Second, true, false},
		"retry":                {map[string]string{"X-Should-Retry": "true"}, 0, true, false},
		"do not":               {map[string]string{"X-Should-Retry": "false"}, 0, false, true},
		"do not before a time": {map[string]string{"X-Should-Retry": "false", "Retry-After": "3"}, 3 * time.Second, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // its time starts with the year 2000
				r := &reply{status: 429, header: http.Header{"Request-Id": {"req_1"}}}
				for name, value := range c.header {
					r.header.Set(name, value)
				}
				fault := r.fails(t, wire.Config{Reset: reset, RequestID: "Request-Id"})
				require.Equal(t, []any{llm.ClassLimit, c.retryable, c.final}, []any{fault.Class, fault.Err.Retryable, fault.Final})
				require.Equal(t, c.wait, fault.Err.RetryAfter)
				require.Equal(t, c.wait > 0, !fault.Until.IsZero())
				require.Equal(t, "req_1", fault.RequestID)
			})
		})
	}
}
