package native_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// reader makes a reader.
func reader(t testing.TB) native.Reader {
	t.Helper()
	server, err := wire.New(wire.Config{Provider: "acme", BaseURL: "http://127.0.0.1:9", HTTP: http.DefaultClient})
	require.NoError(t, err)
	return native.Reader{Server: server, Vendor: "Acme"}
}

// request reads a request about one message.
func request(t testing.TB, text string) *events.ChatRequest {
	t.Helper()
	req := &events.ChatRequest{Prompt: "a"}
	require.NoError(t, json.Unmarshal([]byte(text), req))
	return req
}

func TestStrict(t *testing.T) {
	t.Parallel()
	r := reader(t)
	for name, c := range map[string]struct {
		text  string
		class llm.Class
		says  string
	}{
		"an unknown field": {`{"list":[{"name":"a"},{"nome":"b"}]}`, llm.ClassUnsupported, "field.list[1].nome: Acme has nothing like it"},
		"other case":       {`{"List":[]}`, llm.ClassUnsupported, "field.List: Acme"},
		"another type":     {`{"list":[{"name":5}]}`, llm.ClassCaller, "field.list[0].name is a number"},
		"no list":          {`{"list":{}}`, llm.ClassCaller, "field.list is an object"},
		"no object":        {`true`, llm.ClassCaller, "field is a boolean"},
		"no JSON":          {`{`, llm.ClassCaller, "field is not valid JSON"},
		"a name twice":     {`{"list":[],"list":[]}`, llm.ClassCaller, "field is not valid JSON"},
	} {
		var out struct {
			List []struct {
				Name string `json:"name"`
			} `json:"list"`
		}
		err := r.Strict("field", []byte(c.text), &out)
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, c.class, llm.FaultOf(err).Class, name)
		require.Equal(t, "acme", llm.FaultOf(err).Err.Provider, name)
	}
}

func TestReadTools(t *testing.T) {
	t.Parallel()
	r := reader(t)
	const list = `"tools":[{"type":"function","function":{"name":"f"}}]`
	f := []native.Function{{Name: "f", Parameters: jsontext.Value(`{"type":"object","properties":{}}`)}}
	for text, want := range map[string]native.Tools{
		`{}`:                            {Choice: native.ChoiceAuto},
		`{"tools":[]}`:                  {Choice: native.ChoiceAuto},
		`{"tool_choice":"none"}`:        {Choice: native.ChoiceAuto},
		`{"parallel_tool_calls":false}`: {Choice: native.ChoiceAuto},
		`{` + list + `}`:                {Functions: f, Choice: native.ChoiceAuto},
		`{` + list + `,"tool_choice":"none","parallel_tool_calls":false}`:                          {Functions: f, Choice: native.ChoiceNone},
		`{` + list + `,"tool_choice":"required","parallel_tool_calls":true}`:                       {Functions: f, Choice: native.ChoiceRequired},
		`{` + list + `,"parallel_tool_calls":false}`:                                               {Functions: f, Choice: native.ChoiceAuto, One: true},
		`{` + list + `,"tool_choice":{"type":"function","function":{"name":"none"}}}`:              {Functions: f, Choice: "none", Named: true},
		`{"tools":[{"type":"function","function":{"name":"f","parameters":null,"strict":false}}]}`: {Functions: f, Choice: native.ChoiceAuto},
	} {
		got, err := r.ReadTools(request(t, text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, says := range map[string]string{
		`{"tools":{}}`: "tools is an object",
		`{"tools":[{"type":"function","function":{}}]}`:                            "tools[0].function.name is missing",
		`{"tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]}`: "tools[0].function.parameters is not a JSON schema",
		`{"tools":[{"type":"retrieval"}]}`:                                         "tools[0].type: Acme is given tools of type function only",
		`{"tool_choice":"required"}`:                                               "there are no tools",
		`{"tool_choice":{"type":"function","function":{"name":"f"}}}`:              "there are no tools",
		`{` + list + `,"tool_choice":"maybe"}`:                                     `tool_choice is "maybe"`,
		`{` + list + `,"tool_choice":7}`:                                           "tool_choice is a number",
		`{` + list + `,"tool_choice":{"type":"function","function":{}}}`:           "tool_choice.function.name is missing",
		`{` + list + `,"parallel_tool_calls":1}`:                                   "parallel_tool_calls is a number",
	} {
		_, err := r.ReadTools(request(t, text))
		require.ErrorContains(t, err, says)
	}
}

func TestReadFormat(t *testing.T) {
	t.Parallel()
	r := reader(t)
	for text, want := range map[string]native.Format{
		``:                       {},
		`null`:                   {},
		`{"type":"text"}`:        {},
		`{"type":"json_object"}`: {JSON: true},
		`{"type":"json_schema","json_schema":{"name":"a","schema":{"a":1},"strict":true}}`: {JSON: true, Schema: jsontext.Value(`{"a":1}`)},
	} {
		got, err := r.ReadFormat(json.RawMessage(text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, says := range map[string]string{
		`"json"`:                            "response_format is a string",
		`{"type":"yaml"}`:                   "response_format.type",
		`{"type":"json_schema"}`:            "json_schema.schema is not a JSON schema",
		`{"type":"json_schema","schema":1}`: "response_format.schema",
	} {
		_, err := r.ReadFormat(json.RawMessage(text))
		require.ErrorContains(t, err, says)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	r := reader(t)
	for text, says := range map[string]string{
		`{"role":"user","name":"Eve"}`:              "messages[3].name",
		`{"role":"user","tool_calls":[{"id":"a"}]}`: "messages[3].tool_calls: only",
		`{"role":"user","tool_call_id":"a"}`:        "messages[3].tool_call_id: only",
		`{"role":"tool"}`:                           "messages[3].tool_call_id is missing",
	} {
		var m events.ChatMessage
		require.NoError(t, json.Unmarshal([]byte(text), &m))
		require.ErrorContains(t, r.CheckMessage(3, &m), says)
	}
	for text, says := range map[string]string{
		`{"id":"c","type":"custom","function":{"name":"f"}}`: "messages[3].tool_calls[1].type",
		`{"id":"c"}`:                "messages[3].tool_calls[1].function.name is missing",
		`{"function":{"name":"f"}}`: "messages[3].tool_calls[1].id is missing",
		`{"id":"c","function":{"name":"f","arguments":"{\"a\":1,\"a\":2}"}}`: "arguments is not a JSON object",
	} {
		var c events.ToolCall
		require.NoError(t, json.Unmarshal([]byte(text), &c))
		_, err := r.Arguments(3, 1, &c)
		require.ErrorContains(t, err, says)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`{ "a" : [1.0, "b c"], "a":2 }`: `{"a":[1.0,"b c"],"a":2}`, "{\"a\":\"\xff\"}": "{\"a\":\"\ufffd\"}", `{}`: `{}`} {
		got, ok := native.Object(jsontext.Value(text))
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	for _, text := range []string{``, `null`, `[]`, `"{}"`, `{`, `{"a"}`} {
		_, ok := native.Object(jsontext.Value(text))
		require.False(t, ok, text)
	}
	for n, want := range map[float64]int{0: 0, -1: 0, 1: 1, 1.4: 1, 1.5: 2, 1e300: 1 << 40, math.Inf(1): 1 << 40, math.Inf(-1): 0} {
		require.Equal(t, want, native.Count(n))
	}
	require.Zero(t, native.Count(math.NaN()))
}

func TestCalls(t *testing.T) {
	t.Parallel()
	r := reader(t)
	var calls native.Calls
	require.NoError(t, calls.Add(r.Server, "a"))
	require.ErrorContains(t, calls.Add(r.Server, "a"), "same id")
	require.ErrorContains(t, calls.Add(r.Server, strings.Repeat("a", 1025)), "1025 bytes")
	for len(calls) < native.MaxCalls {
		require.NoError(t, calls.Add(r.Server, strconv.Itoa(len(calls))))
	}
	require.ErrorContains(t, calls.Add(r.Server, "b"), "more than 1024 calls")
}

// FuzzData has URLs of all kinds; what is taken for base64 can be decoded.
func FuzzData(f *testing.F) {
	for _, url := range []string{"data:image/png;base64,AAAA", "DATA:;BASE64,AA==", "data:,a", "http://a.example/", "data:a;base64,A==="} {
		f.Add(url)
	}
	r := reader(f)
	f.Fuzz(func(t *testing.T, url string) {
		_, data, err := r.Data("field", url)
		if err != nil {
			require.Equal(t, "acme", llm.FaultOf(err).Err.Provider)
			return
		}
		var decoded []byte
		text, err := json.Marshal(data)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &decoded))
		require.NotEmpty(t, decoded)
	})
}
