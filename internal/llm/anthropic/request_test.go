package anthropic_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// one is the conversation of requests that are about something else.
const one = `"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]`

// options are requests of our side about one user message "a", and what is sent beside that message.
func options() map[string][2]string {
	return map[string][2]string{
		"nothing":           {`{}`, `"max_tokens":4096`},
		"limit":             {`{"max_completion_tokens":7}`, `"max_tokens":7`},
		"old limit":         {`{"max_tokens":8}`, `"max_tokens":8`},
		"both limits":       {`{"max_tokens":8,"max_completion_tokens":7}`, `"max_tokens":7`},
		"sampling":          {`{"temperature":1,"top_p":0.5,"n":1,"top_k":40}`, `"max_tokens":4096,"temperature":1,"top_p":0.5,"top_k":40`},
		"cold":              {`{"temperature":0}`, `"max_tokens":4096,"temperature":0`},
		"stop":              {`{"stop":"END"}`, `"max_tokens":4096,"stop_sequences":["END"]`},
		"stops":             {`{"stop":["END"," x "]}`, `"max_tokens":4096,"stop_sequences":["END"," x "]`},
		"user":              {`{"user":"u-1"}`, `"max_tokens":4096,"metadata":{"user_id":"u-1"}`},
		"safety_identifier": {`{"safety_identifier":"u-1"}`, `"max_tokens":4096,"metadata":{"user_id":"u-1"}`},
		"both users":        {`{"user":"u-1","safety_identifier":"u-1"}`, `"max_tokens":4096,"metadata":{"user_id":"u-1"}`},
		"what asks for nothing": {
			`{"logprobs":false,"top_logprobs":0,"frequency_penalty":0,"presence_penalty":0.0,"logit_bias":{},"store":false,"metadata":{},` +
				`"modalities":["text"],"functions":[],"tools":[],"tool_choice":"auto","parallel_tool_calls":false,"audio":null,` +
				`"response_format":{"type":"text"},"service_tier":null}`,
			`"max_tokens":4096`,
		},
		"effort":         {`{"reasoning_effort":"xhigh"}`, `"max_tokens":4096,"output_config":{"effort":"xhigh"}`},
		"no effort":      {`{"reasoning_effort":"none"}`, `"max_tokens":4096,"thinking":{"type":"disabled"}`},
		"thinking":       {`{"thinking":{"type":"enabled","budget_tokens":2000}}`, `"max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":2000}`},
		"cache":          {`{"cache_control":{"type":"ephemeral"}}`, `"max_tokens":4096,"cache_control":{"type":"ephemeral"}`},
		"tier":           {`{"service_tier":"auto"}`, `"max_tokens":4096,"service_tier":"auto"`},
		"tier of theirs": {`{"service_tier":"standard_only"}`, `"max_tokens":4096,"service_tier":"standard_only"`},
		"tier of ours":   {`{"service_tier":"default"}`, `"max_tokens":4096,"service_tier":"standard_only"`},
		"format": {
			`{"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object"}}},"reasoning_effort":"low"}`,
			`"max_tokens":4096,"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}`,
		},
		"tools": {
			`{"tools":[{"type":"function","function":{"name":"f","description":"does f","strict":true,"parameters":{"type":"object","properties":{"a":{"const":null}}}}},` +
				`{"type":"function","function":{"name":"g"}}]}`,
			`"max_tokens":4096,"tools":[{"name":"f","description":"does f","strict":true,"input_schema":{"type":"object","properties":{"a":{"const":null}}}},` +
				`{"name":"g","input_schema":{"type":"object","properties":{}}}]`,
		},
		"no tool":     {choose(`"none"`, `true`), chosen(`{"type":"none"}`)},
		"some tool":   {choose(`"required"`, `true`), chosen(`{"type":"any"}`)},
		"this tool":   {choose(`{"type":"function","function":{"name":"f"}}`, `true`), chosen(`{"type":"tool","name":"f"}`)},
		"any one":     {choose(`"auto"`, `false`), chosen(`{"type":"auto","disable_parallel_tool_use":true}`)},
		"one tool":    {choose(`"required"`, `false`), chosen(`{"type":"any","disable_parallel_tool_use":true}`)},
		"no tool, 1":  {choose(`"none"`, `false`), chosen(`{"type":"none"}`)},
		"stream flag": {`{"stream":true,"stream_options":{"include_usage":true}}`, `"max_tokens":4096`},
	}
}

// choose is a request with a tool.
func choose(choice, parallel string) string {
	return `{"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":` + choice + `,"parallel_tool_calls":` + parallel + `}`
}

// chosen is what is sent for it.
func chosen(choice string) string {
	return `"max_tokens":4096,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":` + choice
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, c := range options() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: hi}
			_, err := r.client(t, anthropic.Config{}).Chat(t.Context(), call(t, c[0]))
			require.NoError(t, err)
			require.JSONEq(t, `{"model":"claude-x",`+one+`,`+c[1]+`}`, r.sent)

			r.body = ""
			require.Error(t, r.client(t, anthropic.Config{}).Stream(t.Context(), call(t, c[0]), nil))
			require.JSONEq(t, `{"model":"claude-x","stream":true,`+one+`,`+c[1]+`}`, r.sent)
		})
	}
}

// TestCallersMistakes has requests that are wrong everywhere; nothing is sent.
func TestCallersMistakes(t *testing.T) {
	t.Parallel()
	image := func(url string) string {
		return `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + url + `"}}]}]}`
	}
	calling := func(arguments string) string {
		return `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":` +
			arguments + `}}]}]}`
	}
	for name, c := range map[string]struct{ request, says string }{
		"arguments that are no JSON":    {calling(`"{"`), "messages[1].tool_calls[0].function.arguments is not a JSON object"},
		"arguments that are a list":     {calling(`"[]"`), "messages[1].tool_calls[0].function.arguments is not a JSON object"},
		"arguments with one name twice": {calling(`"{\"a\":1,\"a\":2}"`), "messages[1].tool_calls[0].function.arguments is not a JSON object"},
		"a call without a name":         {`{"messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{}}]}]}`, "messages[0].tool_calls[0].function.name is missing"},
		"a call without an id":          {`{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]}`, "messages[0].tool_calls[0].id is missing"},
		"a result without a call":       {`{"messages":[{"role":"tool","content":"a"}]}`, "messages[0].tool_call_id is missing"},
		"a user's call":                 {`{"messages":[{"role":"user","content":"a","tool_calls":[{"id":"c","function":{"name":"f"}}]}]}`, "messages[0].tool_calls: only"},
		"a user's result":               {`{"messages":[{"role":"user","content":"a","tool_call_id":"c"}]}`, "messages[0].tool_call_id: only"},
		"a file's path":                 {image("file:///etc/passwd"), "messages[0].content[0].image_url.url is neither"},
		"an image without a type":       {image("data:AAAA"), "is not of the form"},
		"an image that is not base64":   {image("data:image/png,AAAA"), "is not of the form"},
		"half of base64":                {image("data:image/png;base64,AAAAA"), "is not valid base64"},
		"an image of nothing":           {image("data:image/png;base64,"), "is not valid base64"},
		"base64 for URLs":               {image("data:image/png;base64,AA-_"), "is not valid base64"},
		"an image that is a list":       {`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":[]}]}]}`, "messages[0].content[0].image_url is a list"},
		"a text that is a number":       {`{"tools":[{"type":"function","function":{"name":5}}]}`, "tools[0].function.name is a number"},
		"tools that are an object":      {`{"tools":{}}`, "tools is an object"},
		"a tool without a name":         {`{"tools":[{"type":"function","function":{}}]}`, "tools[0].function.name is missing"},
		"a schema that is a text":       {`{"tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]}`, "tools[0].function.parameters is not"},
		"a choice of nothing":           {`{"tool_choice":"required"}`, "there are no tools"},
		"an unknown choice":             {choose(`"maybe"`, `true`), `tool_choice is "maybe"`},
		"a choice without a name":       {choose(`{"type":"function","function":{}}`, `true`), "tool_choice.function.name is missing"},
		"parallel that is a number":     {choose(`"auto"`, `1`), "parallel_tool_calls is a number"},
		"a format without a schema":     {`{"response_format":{"type":"json_schema","json_schema":{"name":"x"}}}`, "json_schema.schema is not"},
		"a format that is a text":       {`{"response_format":"json"}`, "response_format is a string"},
		"thinking that is a text":       {`{"thinking":"hard"}`, "thinking is not an object"},
		"thinking and not":              {`{"thinking":{"type":"adaptive"},"reasoning_effort":"none"}`, "exclude each other"},
		"an effort that is a number":    {`{"reasoning_effort":3}`, "reasoning_effort is a number"},
		"half a top_k":                  {`{"top_k":0.5}`, "top_k is not"},
		"a negative top_k":              {`{"top_k":-1}`, "top_k is not"},
		"a tier that is a number":       {`{"service_tier":3}`, "service_tier is a number"},
		"two users":                     {`{"user":"a","safety_identifier":"b"}`, "differ"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: hi}
			_, err := r.client(t, anthropic.Config{}).Chat(t.Context(), call(t, c.request))
			fault := llm.FaultOf(err)
			require.Equal(t, llm.ClassCaller, fault.Class, "%v", err)
			require.Equal(t, events.CodeInvalidArgument, fault.Err.Code)
			require.Equal(t, "anthropic", fault.Err.Provider)
			require.ErrorContains(t, err, c.says)
			require.Nil(t, r.request, "it was sent")
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	r := &recorder{body: hi}
	c := r.client(t, anthropic.Config{BaseURL: "https://proxy.example/claude/v1/", Beta: []string{"one-2026-01-01", "two-2026-02-02"}, MaxTokens: 99})
	ask := call(t, `{}`)
	_, err := c.Chat(t.Context(), ask)
	require.NoError(t, err)
	require.Equal(t, "https://proxy.example/claude/v1/messages", r.request.URL.String())
	require.Equal(t, llmtest.Key, r.request.Header.Get("x-api-key"))
	require.Equal(t, "2023-06-01", r.request.Header.Get("anthropic-version"))
	require.Equal(t, "one-2026-01-01,two-2026-02-02", r.request.Header.Get("anthropic-beta"))
	require.Empty(t, r.request.Header.Get("Authorization"))
	require.Contains(t, r.sent, `"max_tokens":99`)

	ask.Key = secret.Value{}
	_, err = r.client(t, anthropic.Config{}).Chat(t.Context(), ask)
	require.NoError(t, err)
	require.Equal(t, "https://api.anthropic.com/v1/messages", r.request.URL.String())
	require.NotContains(t, r.request.Header, "X-Api-Key", "no key, no header")
	require.NotContains(t, r.request.Header, "Anthropic-Beta")
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]anthropic.Config{
		"no provider":  {HTTP: llm.NewHTTPClient()},
		"no client":    {Provider: "anthropic"},
		"no URL":       {Provider: "anthropic", HTTP: llm.NewHTTPClient(), BaseURL: "api.anthropic.com"},
		"a negative":   {Provider: "anthropic", HTTP: llm.NewHTTPClient(), MaxTokens: -1},
		"a URL's key":  {Provider: "anthropic", HTTP: llm.NewHTTPClient(), BaseURL: "https://key@api.anthropic.com"},
		"a URL's path": {Provider: "anthropic", HTTP: llm.NewHTTPClient(), BaseURL: "https://api.anthropic.com/v1?a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := anthropic.New(cfg)
			require.Error(t, err)
		})
	}
}
