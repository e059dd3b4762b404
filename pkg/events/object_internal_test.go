package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// sameObject checks that readObject reads what encoding/json reads.
func sameObject(t *testing.T, body []byte) {
	t.Helper()
	if !json.Valid(body) || !utf8.Valid(body) { // which is refused before
		return
	}
	var want map[string]json.RawMessage
	isObject := json.Unmarshal(body, &want) == nil && want != nil
	got, ok := readObject(body)
	if ok != isObject {
		t.Fatalf("%q is an object: %t, want %t", body, ok, isObject)
	}
	if len(got) != len(want) {
		t.Fatalf("%q has %d members, want %d", body, len(got), len(want))
	}
	for _, m := range got {
		if raw, known := want[m.name]; !known || string(raw) != string(m.raw) {
			t.Fatalf("%q has %q: %q, want %q", body, m.name, m.raw, raw)
		}
		if string(got.get(m.name)) != string(m.raw) {
			t.Fatalf("%q has %q twice", body, m.name)
		}
	}
}

func objects() []string {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"%d":%d,`, i%40, i)
	}
	return []string{
		"{" + many.String() + `"last":0}`,
		`{}`, ` { } `, `{"a":1}`, "\t{ \"a\" :\r\n-1.5e+7 , \"b\" : [ ] } ", `{"a":{"b":{"c":[1,"}",{"d":"]"}]}},"e":null}`,
		`{"a":"\"","b":"\\","c":"\\\"","d":"\u0041"}`, `{"\u0061":1,"a":2}`, `{"a":1,"\u0061":2,"a":3}`, `{"":"","\"":1,"\\":2}`,
		`{"z":true,"y":false,"x":null,"w":0}`, `{"\ud800":1,"\ud83d\ude00":2}`, `[]`, `"{"`, `1`, `null`, `true`, ` [ {"a":1} ] `,
	}
}

func TestReadObject(t *testing.T) {
	t.Parallel()
	for _, body := range objects() {
		sameObject(t, []byte(body))
	}
}

func FuzzReadObject(f *testing.F) {
	for _, body := range objects() {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { sameObject(t, body) })
}
