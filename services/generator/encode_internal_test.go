package generator

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What is written by hand is what encode writes, whatever is set.
func TestAnswersAreWrittenAsEncodeDoes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		var answer events.ChatResponse
		fill(t, random, reflect.ValueOf(&answer).Elem())
		want, err := encode(&answer)
		require.NoError(t, err)
		got, err := encodeResponse(&answer, nil)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))

		var chunk events.ChatChunk
		fill(t, random, reflect.ValueOf(&chunk).Elem())
		want, err = encode(&chunk)
		require.NoError(t, err)
		got, err = encodeChunk(&chunk, []byte("was"))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
}

// What is not UTF-8 is written as encode writes it, or not at all.
func TestAnswersThatAreNotText(t *testing.T) {
	t.Parallel()
	for _, answer := range []*events.ChatResponse{
		{Choices: []events.ChatChoice{{Message: events.ChatMessage{Content: events.TextContent("bad\xff")}}}},
		{Choices: []events.ChatChoice{{Message: events.ChatMessage{Refusal: "bad\xff"}}}},
	} {
		want, wantErr := encode(answer)
		got, err := encodeResponse(answer, make([]byte, 3, 4096))
		require.Equal(t, want, got)
		require.Equal(t, wantErr == nil, err == nil)
	}
}

// fill sets a value to anything.
func fill(t *testing.T, random *rand.Rand, v reflect.Value) {
	t.Helper()
	texts := []string{"", "a word", "\"\\\n\t\x01\x7f\u2028<&>", "ж€😀"}
	if _, raw := reflect.TypeAssert[json.RawMessage](v); raw {
		v.Set(reflect.ValueOf([]json.RawMessage{nil, json.RawMessage(`{"a":[1,"b"]}`), json.RawMessage(`[]`)}[random.IntN(3)]))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[random.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(random.IntN(3) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(random.IntN(3)) * 123456789)
	case reflect.Float64:
		v.SetFloat(float64(random.IntN(1000)) / 1e7)
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(t, random, f)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 2))
		for i := range v.Len() {
			fill(t, random, v.Index(i))
		}
	case reflect.Pointer:
		if random.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, random, v.Elem())
		}
	default:
		require.Fail(t, "a field of a kind that is not known", v.Kind().String())
	}
}
