package cohere_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// userA is a user's message "a", as it is sent.
const userA = `{"role":"user","content":"a"}`

// requests are requests of our side, and what is sent beside model and stream.
func requests() map[string][2]string {
	const one = `"messages":[` + userA + `]`
	const declared = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`
	choose := func(choice string) string {
		return `{"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":` + choice + `}`
	}
	return map[string][2]string{
		"nothing":     {`{}`, one},
		"limit":       {`{"max_completion_tokens":7}`, one + `,"max_tokens":7`},
		"old limit":   {`{"max_tokens":8}`, one + `,"max_tokens":8`},
		"both limits": {`{"max_tokens":8,"max_completion_tokens":7}`, one + `,"max_tokens":7`},
		"sampling": {
			`{"temperature":1,"top_p":0.5,"n":1,"top_k":40,"seed":9007199254740993,"frequency_penalty":0.5,"presence_penalty":1}`,
			one + `,"temperature":1,"p":0.5,"k":40,"seed":9007199254740993,"frequency_penalty":0.5,"presence_penalty":1`,
		},
		"cold":  {`{"temperature":0,"seed":0}`, one + `,"temperature":0,"seed":0`},
		"stop":  {`{"stop":"END"}`, one + `,"stop_sequences":["END"]`},
		"stops": {`{"stop":["END"," "]}`, one + `,"stop_sequences":["END"," "]`},
		"what asks for nothing": {
			`{"logprobs":false,"top_logprobs":0,"logit_bias":{},"store":false,"metadata":{},"modalities":["text"],"functions":[],"tools":[],` +
				`"tool_choice":"none","parallel_tool_calls":false,"audio":null,"response_format":{"type":"text"},"service_tier":null,"stream":true,` +
				`"stream_options":{"include_usage":true}}`,
			one,
		},
		"thought":      {`{"reasoning_effort":"high"}`, one + `,"thinking":{"type":"enabled"}`},
		"no thought":   {`{"reasoning_effort":"none"}`, one + `,"thinking":{"type":"disabled"}`},
		"some thought": {`{"thinking":{"type":"enabled","token_budget":500}}`, one + `,"thinking":{"type":"enabled","token_budget":500}`},
		"their own":    {`{"safety_mode":"STRICT","priority":5}`, one + `,"safety_mode":"STRICT","priority":5`},
		"any JSON":     {`{"response_format":{"type":"json_object"}}`, one + `,"response_format":{"type":"json_object"}`},
		"schema": {
			`{"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","const":null}}}}`,
			one + `,"response_format":{"type":"json_object","json_schema":{"type":"object","const":null}}`,
		},
		"tools": {
			`{"tools":[{"type":"function","function":{"name":"f","description":"does f","strict":false,"parameters":{"type":"object","properties":{"a":{"const":null}}}}},` +
				`{"type":"function","function":{"name":"g"}}],"parallel_tool_calls":true}`,
			one + `,"tools":[{"type":"function","function":{"name":"f","description":"does f","parameters":{"type":"object","properties":{"a":{"const":null}}}}},` +
				`{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}]`,
		},
		"strict tools": {
			`{"tools":[{"type":"function","function":{"name":"f","strict":true}}]}`, one + `,"strict_tools":true,` + declared,
		},
		"free choice": {choose(`"auto"`), one + `,` + declared},
		"no tool":     {choose(`"none"`), one + `,"tool_choice":"NONE",` + declared},
		"some tool":   {choose(`"required"`), one + `,"tool_choice":"REQUIRED",` + declared},
		"turns": {
			`{"messages":[{"role":"developer","content":"1"},{"role":"system","content":[{"type":"text","text":"2"},{"type":"text","text":""}]},` +
				`{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":"hm","annotations":[]},{"role":"user","content":""}]}`,
			`"messages":[{"role":"system","content":"1"},{"role":"system","content":[{"type":"text","text":"2"}]},` + userA +
				`,{"role":"assistant","content":"b"},{"role":"user","content":""}]`,
		},
		"calls and results": {
			`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"reasoning_content":"I will look.","tool_calls":[` +
				`{"id":"c:1","type":"function","function":{"name":"f","arguments":"{ \"x\": 1.0e2 }"}},{"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},` +
				`{"role":"tool","tool_call_id":"c:1","name":"f","content":"r1"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r2"}]},` +
				`{"role":"assistant","content":"c","tool_calls":[{"id":"c3","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c3","content":""}]}`,
			`"messages":[` + userA + `,{"role":"assistant","tool_plan":"I will look.","tool_calls":[` +
				`{"id":"c:1","type":"function","function":{"name":"f","arguments":"{ \"x\": 1.0e2 }"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c:1","content":"r1"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r2"}]},` +
				`{"role":"assistant","content":"c","tool_calls":[{"id":"c3","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c3","content":""}]`,
		},
		"refusals": {
			`{"messages":[{"role":"assistant","content":null,"refusal":"no"},{"role":"assistant","content":"b","refusal":"no"},` +
				`{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"refusal","refusal":"no"}]}]}`,
			`"messages":[{"role":"assistant","content":"no"},{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"text","text":"no"}]},` +
				`{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"text","text":"no"}]}]`,
		},
		"images": {
			`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"auto"}},` +
				`{"type":"image_url","image_url":{"url":"https://a.example/b.jpg","detail":"low"}}]}]}`,
			`"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},` +
				`{"type":"image_url","image_url":{"url":"https://a.example/b.jpg","detail":"low"}}]}]`,
		},
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, c := range requests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: hi}
			_, err := r.client(t).Chat(t.Context(), call(t, c[0]))
			require.NoError(t, err)
			require.JSONEq(t, `{"model":"command-x","stream":false,`+c[1]+`}`, r.sent)

			r.body = ""
			require.Error(t, r.client(t).Stream(t.Context(), call(t, c[0]), nil))
			require.JSONEq(t, `{"model":"command-x","stream":true,`+c[1]+`}`, r.sent)
		})
	}
}

// TestCallersMistakes has requests that are wrong everywhere; nothing is sent.
func TestCallersMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ request, says string }{
		"thinking and not":           {`{"thinking":{"type":"enabled"},"reasoning_effort":"none"}`, "exclude each other"},
		"thinking that is a text":    {`{"thinking":"hard"}`, "thinking is not an object"},
		"an effort that is a number": {`{"reasoning_effort":3}`, "reasoning_effort is a number"},
		"half a top_k":               {`{"top_k":0.5}`, "top_k is not"},
		"a negative top_k":           {`{"top_k":-1}`, "top_k is not"},
		"a penalty that is a text":   {`{"frequency_penalty":"1"}`, "frequency_penalty is a string"},
		"a mode that is a number":    {`{"safety_mode":1}`, "safety_mode is a number"},
		"a priority that is a text":  {`{"priority":"high"}`, "priority is a string"},
		"a result without a call":    {`{"messages":[{"role":"tool","content":"a"}]}`, "messages[0].tool_call_id is missing"},
		"arguments that are no JSON": {
			`{"messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{"}}]}]}`,
			"messages[0].tool_calls[0].function.arguments is not a JSON object",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: hi}
			_, err := r.client(t).Chat(t.Context(), call(t, c.request))
			fault := llm.FaultOf(err)
			require.Equal(t, llm.ClassCaller, fault.Class, "%v", err)
			require.Equal(t, events.CodeInvalidArgument, fault.Err.Code)
			require.Equal(t, "cohere", fault.Err.Provider)
			require.ErrorContains(t, err, c.says)
			require.Nil(t, r.request, "it was sent")
		})
	}
}

// TestAddress completes what is configured, and sends the key in its header.
func TestAddress(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":                          "https://api.cohere.com/v2/chat",
		"https://api.cohere.com":    "https://api.cohere.com/v2/chat",
		"https://api.cohere.com/v2": "https://api.cohere.com/v2/chat",
		"https://a.example/co/v1/":  "https://a.example/co/v2/chat",
	} {
		r := &recorder{body: hi}
		c, err := cohere.New(cohere.Config{Provider: "cohere", BaseURL: base, HTTP: &http.Client{Transport: r}})
		require.NoError(t, err)
		ask := call(t, `{}`)
		_, err = c.Chat(t.Context(), ask)
		require.NoError(t, err)
		require.Equal(t, want, r.request.URL.String())
		require.Equal(t, "Bearer "+llmtest.Key, r.request.Header.Get("Authorization"))
		ask.Key = secret.Value{}
		_, err = c.Chat(t.Context(), ask)
		require.NoError(t, err)
		require.NotContains(t, r.request.Header, "Authorization", "no key, no header")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]cohere.Config{
		"no provider": {HTTP: llm.NewHTTPClient()},
		"no client":   {Provider: "cohere"},
		"no URL":      {Provider: "cohere", HTTP: llm.NewHTTPClient(), BaseURL: "api.cohere.com"},
		"a URL's key": {Provider: "cohere", HTTP: llm.NewHTTPClient(), BaseURL: "https://key@api.cohere.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := cohere.New(cfg)
			require.Error(t, err)
		})
	}
}
