package events_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestParseEmbeddingsRequest: what is read in one pass is what encoding/json reads, field by field.
func TestParseEmbeddingsRequest(t *testing.T) {
	t.Parallel()
	type plain events.EmbeddingsRequest // without the reader of ours, but for input
	for _, body := range []string{
		`{"input":"a"}`, ` {"input" : [ "a" , "b\n\u00fc" ] , "model":"m"} `, `{"input":[]}`, `{"input":""}`, `{"input":["a"],"input":["b"]}`,
		`{"input":"a","dimensions":3,"encoding_format":"base64","user":"u","input_type":"query","truncate":"none","allow_other_space":true}`,
		`{"input":"a","dimensions":null,"model":null,"unknown":{"x":[1]}}`, `{}`, `{"input":["\ud800"]}`, `{"input":["a",null]}`,
	} {
		want := plain{}
		wantNoError(t, json.Unmarshal([]byte(body), &want))
		got, err := events.ParseEmbeddingsRequest([]byte(body))
		wantNoError(t, err)
		if !reflect.DeepEqual(plain(got), want) {
			t.Errorf("%s: %+v instead of %+v", body, got, want)
		}
		var second events.EmbeddingsRequest
		wantNoError(t, json.Unmarshal([]byte(body), &second))
		if !reflect.DeepEqual(second, got) {
			t.Errorf("%s: %+v by encoding/json", body, second)
		}
	}
	for bad, word := range map[string]string{
		``: "is empty", `[]`: "object", `"x"`: "object", `{`: "JSON", `{"input":null}`: "input", `{"input":["a",["b"]]}`: "input",
		`{"Input":"a"}`: `write "input"`, `{"input":"a","dimensions":"3"}`: "dimensions", `{"input":"a","dimensions":1.5}`: "dimensions",
		`{"input":"a","dimensions":99999999999999999999}`: "dimensions", `{"input":"a","model":1}`: "model", `{"input":"a","allow_other_space":"yes"}`: "allow_other_space",
		`{"input":"` + "\xff" + `"}`: "UTF-8", strings.Repeat(`{"x":`, 70) + `1` + strings.Repeat(`}`, 70): "nest",
	} {
		_, err := events.ParseEmbeddingsRequest([]byte(bad))
		wantError(t, err, events.CodeInvalidArgument, word)
	}
}

func BenchmarkParseEmbeddingsRequest(b *testing.B) {
	body := []byte(`{"model":"local/use-lite-512","input":"` + strings.Repeat("how do I reset my password? ", 8) + `","encoding_format":"base64"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.ParseEmbeddingsRequest(body); err != nil {
			b.Fatal(err)
		}
	}
}
