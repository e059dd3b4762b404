package events_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestTokens: both forms of token ids are read, by both readers, and written as they were.
func TestTokens(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]events.TokenInput{
		`[1,2]`:                  {{1, 2}},
		` [ 0 , 2147483647 ] `:   {{0, 2147483647}},
		`[[1,2],[3]]`:            {{1, 2}, {3}},
		`[ [ 1 ] , [ 2 , 3 ]  ]`: {{1}, {2, 3}},
		`[[7]]`:                  {{7}},
	} {
		body := []byte(`{"model":"m","input":` + in + `,"user":"u"}`)
		got, err := events.ParseEmbeddingsRequest(body)
		wantNoError(t, err)
		wantNoError(t, got.Validate())
		wantEqual(t, "texts", got.Count(), len(want))
		if !reflect.DeepEqual(got.Tokens, want) || got.Input != nil {
			t.Errorf("%s: %v, %v", in, got.Tokens, got.Input)
		}
		var second events.EmbeddingsRequest
		wantNoError(t, json.Unmarshal(body, &second))
		if !reflect.DeepEqual(got, second) {
			t.Errorf("%s: %+v by encoding/json", in, second)
		}
		var alone events.TokenInput
		wantNoError(t, json.Unmarshal([]byte(in), &alone))
		out, err := json.Marshal(got)
		wantNoError(t, err)
		shape := strings.ReplaceAll(in, " ", "")
		if shape == `[[7]]` {
			shape = `[7]`
		}
		wantEqual(t, "JSON", string(out), `{"model":"m","input":`+shape+`,"user":"u"}`)
	}
}

// TestTokensAreOneTextsEach: appending to the ids of one text does not change those of the next.
func TestTokensAreOneTextsEach(t *testing.T) {
	t.Parallel()
	var r events.EmbeddingsRequest
	wantNoError(t, json.Unmarshal([]byte(`{"input":[[1],[2]]}`), &r))
	_ = append(r.Tokens[0], 9)
	wantEqual(t, "the second", r.Tokens[1][0], 2)
}

// TestTheLastInputCounts whichever form it has.
func TestTheLastInputCounts(t *testing.T) {
	t.Parallel()
	r, err := events.ParseEmbeddingsRequest([]byte(`{"input":"a","input":[1]}`))
	wantNoError(t, err)
	wantNoError(t, r.Validate())
	r, err = events.ParseEmbeddingsRequest([]byte(`{"input":[1],"input":["a","b"]}`))
	wantNoError(t, err)
	wantNoError(t, r.Validate())
	wantEqual(t, "texts", r.Count(), 2)
}

// TestTokensThatAreNone: what is mixed, out of range or no integer is refused, and the error says which element it is.
func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	for in, word := range map[string]string{
		`[1,"a"]`: "input[1] is a text", `[1,[2]]`: "input[1] is a list", `[1,null]`: "input[1] is null", `[1,{}]`: "input[1] is an object",
		`[1,true]`: "input[1] is a boolean", `[[1],2]`: "input[1] is a number", `[[1],"a"]`: "input[1] is a text", `[[1],null]`: "input[1] is null",
		`[[1],[2,"a"]]`: "input[1][1] is a text", `[[1,[2]]]`: "input[0][1] is a list", `[[[1]]]`: "input[0][0] is a list", `[["a"]]`: "input[0][0]",
		`[-1]`: "input[0] is -1", `[1,1.5]`: "input[1] is 1.5", `[1.0]`: "input[0] is 1.0", `[1e3]`: "1e3", `[-0]`: "-0",
		`[2147483648]`: "0 to 2147483647", `[[1],[99999999999999999999]]`: "input[1][0] is 99999999999999999999",
		`["a",1]`: "input", `["a",[1]]`: "input",
	} {
		body := []byte(`{"input":` + in + `}`)
		_, err := events.ParseEmbeddingsRequest(body)
		wantError(t, err, events.CodeInvalidArgument, word)
		var r events.EmbeddingsRequest
		wantError(t, events.DecodeJSON(body, &r), events.CodeInvalidArgument, word)
	}
	var tokens events.TokenInput
	for _, bad := range []string{`null`, `5`, `"a"`, `{}`} {
		wantError(t, json.Unmarshal([]byte(bad), &tokens), events.CodeInvalidArgument, "token ids")
	}
}

// TestTokensAreBounded: how many texts, how many ids of each, and none of them empty.
func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([][]int32{{1}}, events.MaxInputs)
	wantNoError(t, events.EmbeddingsRequest{Tokens: many}.Validate())
	wantNoError(t, events.EmbeddingsRequest{Tokens: events.TokenInput{make([]int32, events.MaxInputTokens)}}.Validate())
	wantNoError(t, events.EmbeddingsRequest{Tokens: append(many, []int32{2})}.ValidateDurable())
	for word, r := range map[string]events.EmbeddingsRequest{
		"2049 texts":        {Tokens: append(many, []int32{2})},
		"131073 token ids":  {Tokens: events.TokenInput{make([]int32, events.MaxInputTokens+1)}},
		"input[1] has no":   {Tokens: events.TokenInput{{1}, {}}},
		"input[0][1] is -5": {Tokens: events.TokenInput{{1, -5}}},
		"one of them":       {Tokens: events.TokenInput{{1}}, Input: events.TextInput{"a"}},
		"input is empty":    {Tokens: events.TokenInput{}},
	} {
		wantError(t, r.Validate(), events.CodeInvalidArgument, word)
	}
	for in, word := range map[string]string{`[[]]`: "input[0]", `[[1],[]]`: "input[1]", `[]`: "input is empty"} {
		r, err := events.ParseEmbeddingsRequest([]byte(`{"input":` + in + `}`))
		wantNoError(t, err)
		wantError(t, r.Validate(), events.CodeInvalidArgument, word)
	}
	_, err := events.ParseEmbeddingsRequest([]byte(`{"input":[` + strings.Repeat("1,", events.MaxInputTokens) + `1]}`))
	wantError(t, err, events.CodeInvalidArgument, "more than 131072 token ids")
}

func BenchmarkParseTokens(b *testing.B) {
	body := []byte(`{"model":"openai/text-embedding-3-small","input":[[` + strings.Repeat("12345,", 511) + `1],[1,2,3]]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.ParseEmbeddingsRequest(body); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzEmbeddingsRequest: both readers agree, and what is written is read again.
func FuzzEmbeddingsRequest(f *testing.F) {
	for _, seed := range []string{
		`{"input":"a"}`, `{"input":["a","b"],"model":"m"}`, `{"input":[1,2,3]}`, `{"input":[[1],[2,2147483647]],"dimensions":3}`, `{"input":[[]]}`,
		`{"input":[1,"a"]}`, `{"input":[[1],2]}`, `{"input":[-1]}`, `{"input":[1.5]}`, `{"input":"a","input":[1]}`, `{"input":[[[1]]]}`, `{"input":[2147483648]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := events.ParseEmbeddingsRequest(body)
		var second events.EmbeddingsRequest
		if err != nil {
			wantCoded(t, err)
			if events.DecodeJSON(body, &second) == nil {
				t.Fatalf("one reader takes it, the other says: %v", err)
			}
			return
		}
		wantNoError(t, events.DecodeJSON(body, &second))
		if !reflect.DeepEqual(r, second) {
			t.Fatalf("%+v and %+v", r, second)
		}
		if err := r.Validate(); err != nil {
			wantCoded(t, err)
			return
		}
		out, err := json.Marshal(r)
		wantNoError(t, err)
		again, err := events.ParseEmbeddingsRequest(out)
		wantNoError(t, err)
		if !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v became %+v", r, again)
		}
	})
}
