package events_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestTextInput(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"hello"`: `"hello"`, `["hello"]`: `"hello"`, `["a","b"]`: `["a","b"]`, `[]`: `[]`, `""`: `""`, ` "a" `: `"a"`, `"\u00fc"`: `"ü"`,
	} {
		var input events.TextInput
		wantNoError(t, json.Unmarshal([]byte(in), &input))
		out, err := json.Marshal(input)
		wantNoError(t, err)
		wantEqual(t, "JSON", string(out), want)
	}
	for _, in := range []string{`null`, `5`, `true`, `{}`, `{"text":"a"}`, `["a",1]`, `["a",[1]]`, `[["a"]]`, `[null,1]`, `[{}]`} {
		var request events.EmbeddingsRequest
		wantError(t, events.DecodeJSON([]byte(`{"input":`+in+`}`), &request), events.CodeInvalidArgument, "input")
	}
}

func TestEmbeddingsRequestValidate(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		`{"input":"a"}`, `{"input":["a","b"],"model":"m","dimensions":3,"encoding_format":"float","user":"u"}`,
		`{"input":"a","encoding_format":"base64","unknown":1}`, `{"input":" "}`,
	} {
		var r events.EmbeddingsRequest
		wantNoError(t, events.DecodeJSON([]byte(good), &r))
		wantNoError(t, r.Validate())
	}
	for bad, word := range map[string]string{
		`{}`:                                    "input is empty",
		`{"input":[]}`:                          "input is empty",
		`{"input":""}`:                          "input[0]",
		`{"input":["a",""]}`:                    "input[1]",
		`{"input":["a",null]}`:                  "input[1]",
		`{"input":"a","dimensions":-1}`:         "dimensions",
		`{"input":"a","encoding_format":"hex"}`: "encoding_format",
		`{"input":["` + strings.Repeat(`a","`, 2048) + `a"]}`:    "2049 texts",
		`{"input":"a","encoding_format":"` + nested(2000) + `"}`: "encoding_format",
	} {
		var r events.EmbeddingsRequest
		wantNoError(t, events.DecodeJSON([]byte(bad), &r))
		wantError(t, r.Validate(), events.CodeInvalidArgument, word)
	}
}

func TestInvalidUTF8IsRefusedBeforeJSONReplacesIt(t *testing.T) {
	t.Parallel()
	for word, v := range map[string]interface{ Validate() error }{
		"input[1]":            events.EmbeddingsRequest{Input: events.TextInput{"a", "\xff"}},
		"prompt":              events.ChatRequest{Prompt: "a\xff"},
		"messages[0].content": events.ChatRequest{Messages: []events.ChatMessage{{Role: "user", Content: events.TextContent("\xc3(")}}},
	} {
		wantError(t, v.Validate(), events.CodeInvalidArgument, word)
	}
}

func TestVector(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]events.Vector{
		"list":     {Values: []float32{0, 1, -0.5, math.MaxFloat32, math.SmallestNonzeroFloat32}},
		"base64":   {Values: []float32{0, 1, -0.5, math.MaxFloat32, math.SmallestNonzeroFloat32}, Base64: true},
		"empty":    {Values: []float32{}},
		"empty 64": {Values: []float32{}, Base64: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := json.Marshal(v)
			wantNoError(t, err)
			var got events.Vector
			wantNoError(t, json.Unmarshal(out, &got))
			wantEqual(t, "form", got.Base64, v.Base64)
			wantEqual(t, "length", len(got.Values), len(v.Values))
			for i := range v.Values {
				wantEqual(t, "value", got.Values[i], v.Values[i])
			}
		})
	}
	out, err := json.Marshal(events.Vector{})
	wantNoError(t, err)
	wantEqual(t, "a vector of nothing", string(out), "[]")
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, form := range []bool{true, false} {
			_, err := events.Vector{Values: []float32{1, float32(f)}, Base64: form}.MarshalJSON()
			wantError(t, err, events.CodeInternal, "embedding[1]")
		}
	}
	notFinite := make([]byte, 8)
	binary.LittleEndian.PutUint32(notFinite[4:], math.Float32bits(float32(math.NaN())))
	for _, bad := range []string{
		`null`, `{}`, `1`, `[1,null]`, `[null]`, `["1"]`, `[[1]]`, `[true]`, `[1e39]`, `[-1e39]`, `"!"`, `"AAAA"`, `"AAAAAAA"`,
		`"` + base64.StdEncoding.EncodeToString(notFinite) + `"`,
	} {
		var v events.Vector
		wantError(t, json.Unmarshal([]byte(bad), &v), events.CodeInvalidArgument, "embedding")
	}
}
