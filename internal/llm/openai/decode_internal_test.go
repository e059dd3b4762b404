package openai

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// oddAnswers are texts that are read in one pass or not, as it happens, but in either case as package json reads them.
func oddAnswers() []string {
	list := []string{
		``, ` `, `null`, `[]`, `{}`, `{}x`, "{}\x00", `{"id":1}`, `{"id":null,"created":null,"choices":null,"usage":null,"error":null}`,
		`{"id":"a","id":"b"}`, `{"\u0069d":"a"}`, `{"ID":"a"}`, `{"id":"a\u00e9\n\"\\\/\ud83d\ude00"}`, `{"id":"\ud800"}`, `{"id":"\x"}`, `{"id":"a\"}`,
		"{\"id\":\"\xff\"}", "{\"id\":\"ж€😀\"}", "{\"x\":\"\xff\"}", "{\"id\":\"a\nb\"}", `{"x":"\ud800"}`, `{"x":"\q"}`, `{"id":"a" "b":1}`, `{"id" "a"}`, `{"id":"a",}`, `{,}`,
		`{"created":1.0}`, `{"created":1e3}`, `{"created":-5}`, `{"created":-0}`, `{"created":01}`, `{"created":-}`, `{"created":9223372036854775807}`,
		`{"created":123456789012345678}`, `{"created":"1"}`, `{"created":1}`, ` { "id" : "a" , "created" : 7 } `,
		`{"x":[1,-0.5e+7,true,false,null,{"a":[]}],"y":{}}`, `{"x":01}`, `{"x":1.}`, `{"x":.5}`, `{"x":1e}`, `{"x":tru}`, `{"x":nul}`, `{"x":[1,]}`, `{"x":[1 2]}`, `{"x":}`, `{"x"}`,
		`{"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		`{"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":1,"x":1},"completion_tokens_details":{"reasoning_tokens":1},"prompt_cache_hit_tokens":4,"cost":"x"}}`,
		`{"usage":{"prompt_tokens_details":null,"completion_tokens_details":null}}`, `{"usage":{"prompt_tokens":"1"}}`, `{"usage":[]}`,
		`{"error":{"message":"x"}}`, `{"object":"error","message":"x"}`, `{"error":"x"}`,
		`{"choices":[]}`, `{"choices":[null]}`, `{"choices":[{}]}`, `{"choices":{}}`, `{"choices":[{"message":null,"delta":null}]}`, `{"choices":[{"index":1},{"index":0}]}`, `{"choices":[1]}`,
		`{"choices":[{"index":0},{"index":0,"index":1}]}`, `{"choices":[{"logprobs":{"content":[ 1 ]},"finish_reason":null}]}`,
	}
	for _, in := range []string{
		`"role":"assistant","content":"hi"`, `"content":null`, `"content":[{"type":"text","text":"hi"}]`, `"content":7`, `"role":7`, `"refusal":"no","annotations":[ {} ],"reasoning":"\"x\"","reasoning_content":"y"`,
		`"tool_calls":null`, `"tool_calls":[]`, `"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"a\":1}","x":1}}]`,
		`"tool_calls":[{"index":null,"function":null,"x":[]}]`, `"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]`, `"tool_calls":[{"function":{"name":"f","arguments":null}}]`,
		`"tool_calls":[{"function":{"name":"f","arguments":7}}]`, `"tool_calls":[{"index":1.5}]`, `"tool_calls":[null]`, `"tool_calls":{}`, `"content":"a","content":"b"`,
	} {
		list = append(list, `{"id":"x","choices":[{"index":0,"message":{`+in+`},"delta":{`+in+`},"finish_reason":"stop"}]}`)
	}
	return list
}

// same compares what the one pass has read with what package json reads, for which a null may be a value.
func same(t *testing.T, text string, fast bool, got, want any, err error) {
	t.Helper()
	if !fast {
		return
	}
	require.NoError(t, err, "only package json refuses: %q", text)
	tidy(reflect.ValueOf(want))
	tidy(reflect.ValueOf(got))
	require.Equal(t, want, got, "%q", text)
}

// tidy makes nulls and empty lists nothing, which is what they mean.
func tidy(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			tidy(v.Elem())
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				tidy(f)
			}
		}
	case reflect.Slice:
		if raw, ok := reflect.TypeAssert[jsontext.Value](v); ok && string(raw) == "null" || v.Len() == 0 {
			v.SetZero()
		}
		for i := range v.Len() {
			tidy(v.Index(i))
		}
	default:
	}
}

// bothWays reads a text as an answer and as a chunk, with and without package json.
func bothWays(t *testing.T, a *Adapter, text string) (fast int) {
	t.Helper()
	var r reader
	var got, want answer
	r.start([]byte(text))
	r.answer(&got)
	read := r.done()
	err := a.Decode([]byte(text), &want)
	if read {
		fast++
	}
	own := got // whose choices stand behind a pointer
	own.counted, own.said, own.one = usage{}, reply{}, [1]answerChoice{}
	same(t, text, read, &own, &want, err)

	var piece, whole chunk
	r.start([]byte(text))
	r.chunk(&piece, &chunk{ID: "x", Model: "m"})
	read = r.done()
	err = a.Decode([]byte(text), &whole)
	same(t, text, read, &piece, &whole, err)
	if read {
		fast++
	}
	return fast
}

// What is read in one pass is what package json reads.
func TestAnswersAreReadTheSame(t *testing.T) {
	t.Parallel()
	a, err := NewAdapter("test", "http://127.0.0.1:1", http.DefaultClient, Options{})
	require.NoError(t, err)
	fast := 0
	for _, text := range oddAnswers() {
		fast += bothWays(t, a, text)
	}
	require.Greater(t, fast, 40)
}

// What one event says is not there any more when the next is read, in whichever way.
func TestEventsAreReadIntoMemoryThatIsUsedAgain(t *testing.T) {
	t.Parallel()
	a, err := NewAdapter("test", "http://127.0.0.1:1", http.DefaultClient, Options{})
	require.NoError(t, err)
	s := stream{a: a}
	const full = `{"id":"a","model":"m","service_tier":"x","usage":{"prompt_tokens":1},"error":{"x":1},"choices":[{"index":1,"logprobs":[1],` +
		`"delta":{"role":"assistant","content":"x","refusal":"y","annotations":[1],"tool_calls":[{"id":"c"}]},"finish_reason":"stop"},{"index":2}]}`
	for _, text := range []string{
		`{"choices":[{"delta":{}}]}`, `{"choices":[{"delta":{}},{}]}`, `{"choices":null}`, `{}`, // in one pass
		`{"choices":[{"index":0,"index":0,"delta":{}}]}`, `{"choices":[{},{"delta":{"content":"a","content":"b"}}]}`, `{"id":"\ud800"}`, // by package json
		`{"choices":[{"index":7,"delta":{"content":"x"}}],"choices":[{"delta":{}}]}`,
	} {
		require.NoError(t, s.decode([]byte(full)))
		require.NoError(t, s.decode([]byte(text)))
		var want chunk
		require.NoError(t, a.Decode([]byte(text), &want))
		got := s.in
		tidy(reflect.ValueOf(&want))
		tidy(reflect.ValueOf(&got))
		require.Equal(t, want, got, text)

		var first, second, plain answer
		require.NoError(t, a.decode([]byte(full), &first))
		require.NoError(t, a.decode([]byte(text), &second))
		require.NoError(t, a.Decode([]byte(text), &plain))
		own := second // whose choices stand behind a pointer
		own.counted, own.said, own.one = usage{}, reply{}, [1]answerChoice{}
		tidy(reflect.ValueOf(&plain))
		tidy(reflect.ValueOf(&own))
		require.Equal(t, plain, own, text)
		require.Equal(t, "a", first.ID)
	}
}

func FuzzAnswersAreReadTheSame(f *testing.F) {
	a, err := NewAdapter("test", "http://127.0.0.1:1", http.DefaultClient, Options{})
	require.NoError(f, err)
	for _, text := range oddAnswers() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { bothWays(t, a, text) })
}
