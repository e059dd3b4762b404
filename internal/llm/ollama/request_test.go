package ollama_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// userA is a user's message "a", as it is sent.
const userA = `{"role":"user","content":"a"}`

// requests are requests of our side, and what is sent beside model and stream.
func requests() map[string][2]string {
	const one = `"messages":[` + userA + `]`
	const declared = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`
	return map[string][2]string{
		"nothing":     {`{}`, one},
		"limit":       {`{"max_completion_tokens":7}`, one + `,"options":{"num_predict":7}`},
		"both limits": {`{"max_tokens":8,"max_completion_tokens":7}`, one + `,"options":{"num_predict":7}`},
		"sampling": {
			`{"temperature":2,"top_p":1,"n":1,"seed":-1,"top_k":40,"min_p":0.05,"frequency_penalty":-0.5,"presence_penalty":0.0,"repeat_penalty":1.1,"num_ctx":8192}`,
			one + `,"options":{"temperature":2,"top_p":1,"seed":-1,"top_k":40,"min_p":0.05,"frequency_penalty":-0.5,"presence_penalty":0.0,"repeat_penalty":1.1,"num_ctx":8192}`,
		},
		"cold":  {`{"temperature":0,"seed":0}`, one + `,"options":{"temperature":0,"seed":0}`},
		"stop":  {`{"stop":"END"}`, one + `,"options":{"stop":["END"]}`},
		"stops": {`{"stop":["END"," "]}`, one + `,"options":{"stop":["END"," "]}`},
		"what asks for nothing": {
			`{"logprobs":false,"top_logprobs":0,"logit_bias":{},"store":false,"metadata":{},"modalities":["text"],"functions":[],"tools":[],` +
				`"tool_choice":"none","parallel_tool_calls":false,"audio":null,"response_format":{"type":"text"},"service_tier":null,"stream":true,` +
				`"stream_options":{"include_usage":true}}`,
			one,
		},
		"no thought":        {`{"reasoning_effort":"none"}`, one + `,"think":false`},
		"little thought":    {`{"reasoning_effort":"low"}`, one + `,"think":"low"`},
		"some thought":      {`{"reasoning_effort":"medium"}`, one + `,"think":"medium"`},
		"much thought":      {`{"reasoning_effort":"high"}`, one + `,"think":"high"`},
		"thought":           {`{"think":true}`, one + `,"think":true`},
		"most thought":      {`{"reasoning_effort":"max"}`, one + `,"think":"max"`},
		"their own thought": {`{"think":"max"}`, one + `,"think":"max"`},
		"stays":             {`{"keep_alive":"5m"}`, one + `,"keep_alive":"5m"`},
		"stays for ever":    {`{"keep_alive":-1}`, one + `,"keep_alive":-1`},
		"any JSON":          {`{"response_format":{"type":"json_object"}}`, one + `,"format":"json"`},
		"schema": {
			`{"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","const":null}}}}`,
			one + `,"format":{"type":"object","const":null}`,
		},
		"tools": {
			`{"tools":[{"type":"function","function":{"name":"f","description":"does f","strict":false,"parameters":{"type":"object","properties":{"a":{"const":null}}}}},` +
				`{"type":"function","function":{"name":"g"}}],"tool_choice":"auto","parallel_tool_calls":true}`,
			one + `,"tools":[{"type":"function","function":{"name":"f","description":"does f","parameters":{"type":"object","properties":{"a":{"const":null}}}}},` +
				`{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}]`,
		},
		"a tool":  {`{"tools":[{"type":"function","function":{"name":"f"}}]}`, one + `,` + declared},
		"no tool": {`{"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none","parallel_tool_calls":false}`, one},
		"turns": {
			`{"messages":[{"role":"developer","content":"1"},{"role":"system","content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},` +
				`{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":"hm","annotations":[]},{"role":"user","content":""}]}`,
			`"messages":[{"role":"system","content":"1"},{"role":"system","content":"2\n3"},` + userA +
				`,{"role":"assistant","content":"b","thinking":"hm"},{"role":"user","content":""}]`,
		},
		"calls and results": {
			`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[` +
				`{"id":"c1","type":"function","function":{"name":"f","arguments":"{ \"x\": 1.0e2 }"}},{"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},` +
				`{"role":"tool","tool_call_id":"c1","name":"other","content":"r1"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r2"}]},` +
				`{"role":"tool","tool_call_id":"c9","content":""}]}`,
			`"messages":[` + userA + `,{"role":"assistant","content":"","tool_calls":[` +
				`{"id":"c1","function":{"index":0,"name":"f","arguments":{"x":1.0e2}}},{"id":"c2","function":{"index":1,"name":"g","arguments":{}}}]},` +
				`{"role":"tool","content":"r1","tool_name":"other","tool_call_id":"c1"},{"role":"tool","content":"r2","tool_name":"g","tool_call_id":"c2"},` +
				`{"role":"tool","content":"","tool_call_id":"c9"}]`,
		},
		"refusals": {
			`{"messages":[{"role":"assistant","content":null,"refusal":"no"},{"role":"assistant","content":"b","refusal":"no"},` +
				`{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"refusal","refusal":"no"}]}]}`,
			`"messages":[{"role":"assistant","content":"no"},{"role":"assistant","content":"b\nno"},{"role":"assistant","content":"b\nno"}]`,
		},
		"images": {
			`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/PNG;base64,iVBORw0KGgo=","detail":"auto"}},` +
				`{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,AAAA"}}]}]}`,
			`"messages":[{"role":"user","content":"a","images":["iVBORw0KGgo=","AAAA"]}]`,
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
			require.JSONEq(t, `{"model":"llama-x","stream":false,`+c[1]+`}`, r.sent)

			r.body = ""
			require.Error(t, r.client(t).Stream(t.Context(), call(t, c[0]), nil))
			require.JSONEq(t, `{"model":"llama-x","stream":true,`+c[1]+`}`, r.sent)
		})
	}
}

// TestCallersMistakes has requests that are wrong everywhere; nothing is sent.
func TestCallersMistakes(t *testing.T) {
	t.Parallel()
	image := func(url string) string {
		return `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + url + `"}}]}]}`
	}
	calling := func(call string) string {
		return `{"messages":[{"role":"assistant","content":null,"tool_calls":[` + call + `]}]}`
	}
	for name, c := range map[string]struct{ request, says string }{
		"think and effort":           {`{"think":true,"reasoning_effort":"none"}`, "exclude each other"},
		"think that is a number":     {`{"think":5}`, "think is neither"},
		"an effort that is a number": {`{"reasoning_effort":3}`, "reasoning_effort is a number"},
		"half a top_k":               {`{"top_k":0.5}`, "top_k is not"},
		"a negative context":         {`{"num_ctx":-1}`, "num_ctx is not"},
		"a number that is a text":    {`{"min_p":"1"}`, "min_p is a string"},
		"a life that is a list":      {`{"keep_alive":[]}`, "keep_alive is neither"},
		"a result without a call":    {`{"messages":[{"role":"tool","content":"a"}]}`, "messages[0].tool_call_id is missing"},
		"arguments that are no JSON": {calling(`{"id":"c","function":{"name":"f","arguments":"{"}}`), "messages[0].tool_calls[0].function.arguments is not a JSON object"},
		"arguments that are a list":  {calling(`{"id":"c","function":{"name":"f","arguments":"[]"}}`), "messages[0].tool_calls[0].function.arguments is not a JSON object"},
		"a file's path":              {image("file:///etc/passwd"), "messages[0].content[0].image_url.url is neither"},
		"an image without a type":    {image("data:AAAA"), "is not of the form"},
		"half of base64":             {image("data:image/png;base64,AAAAA"), "is not valid base64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: hi}
			_, err := r.client(t).Chat(t.Context(), call(t, c.request))
			fault := llm.FaultOf(err)
			require.Equal(t, llm.ClassCaller, fault.Class, "%v", err)
			require.Equal(t, events.CodeInvalidArgument, fault.Err.Code)
			require.Equal(t, "ollama", fault.Err.Provider)
			require.ErrorContains(t, err, c.says)
			require.Nil(t, r.request, "it was sent")
		})
	}
}

// TestAddress completes what is configured, and sends a key only if there is one.
func TestAddress(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":                            "http://localhost:11434/api/chat",
		"http://gpu:11434/":           "http://gpu:11434/api/chat",
		"http://gpu:11434/v1":         "http://gpu:11434/api/chat",
		"https://a.example/llm/api/":  "https://a.example/llm/api/chat",
		"https://a.example/ollama/x/": "https://a.example/ollama/x/api/chat",
	} {
		r := &recorder{body: hi}
		c, err := ollama.New(ollama.Config{Provider: "ollama", BaseURL: base, HTTP: &http.Client{Transport: r}})
		require.NoError(t, err)
		ask := call(t, `{}`)
		_, err = c.Chat(t.Context(), ask)
		require.NoError(t, err)
		require.Equal(t, want, r.request.URL.String())
		require.Equal(t, "Bearer "+llmtest.Key, r.request.Header.Get("Authorization"))
		ask.Key = secret.Value{}
		_, err = c.Chat(t.Context(), ask)
		require.NoError(t, err)
		require.NotContains(t, r.request.Header, "Authorization")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]ollama.Config{
		"no provider": {HTTP: llm.NewHTTPClient()},
		"no client":   {Provider: "ollama"},
		"no URL":      {Provider: "ollama", HTTP: llm.NewHTTPClient(), BaseURL: "localhost:11434"},
		"a URL's key": {Provider: "ollama", HTTP: llm.NewHTTPClient(), BaseURL: "http://key@localhost:11434"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ollama.New(cfg)
			require.Error(t, err)
		})
	}
}
