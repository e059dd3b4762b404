package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// sameScan checks that the scanner takes what encoding/json takes, to the depth that [deeperThan] counts, and reads the same
// members.
func sameScan(t *testing.T, body []byte) {
	t.Helper()
	isJSON := json.Valid(body) && utf8.Valid(body)
	if got := validJSON(body, maxDecoderDepth); got != isJSON {
		t.Fatalf("%q is JSON: %t, want %t", body, got, isJSON)
	}
	for _, depth := range []int{0, 1, 2, 3, MaxDepth, maxEventDepth} {
		want := isJSON && deeperThan(body, depth) < 0
		if got := validJSON(body, depth); got != want {
			t.Fatalf("%q nests at most %d levels deep: %t, want %t", body, depth, got, want)
		}
		if _, got := scanObject(nil, body, depth); got != (want && firstByte(body) == '{') {
			t.Fatalf("%q is an object at most %d levels deep: %t", body, depth, got)
		}
	}
	if !isJSON {
		return
	}
	var want map[string]json.RawMessage
	isObject := json.Unmarshal(body, &want) == nil && want != nil
	got, ok := scanObject(make(object, 0, 2), body, maxDecoderDepth)
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

// texts are JSON and what nearly is.
func texts() []string {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"%d":%d,`, i%40, i)
	}
	all := []string{
		"{" + many.String() + `"last":0}`,
		`{}`, ` { } `, `{"a":1}`, "\t{ \"a\" :\r\n-1.5e+7 , \"b\" : [ ] } ", `{"a":{"b":{"c":[1,"}",{"d":"]"}]}},"e":null}`,
		`{"a":"\"","b":"\\","c":"\\\"","d":"\u0041"}`, `{"\u0061":1,"a":2}`, `{"a":1,"\u0061":2,"a":3}`, `{"":"","\"":1,"\\":2}`,
		`{"z":true,"y":false,"x":null,"w":0}`, `{"\ud800":1,"\ud83d\ude00":2}`, `[]`, `"{"`, `1`, `null`, `true`, ` [ {"a":1} ] `,
		// Where they end, and what may stand behind.
		``, ` `, `{`, `[`, `"`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[,1]`, `[1 2]`, `{,}`, `{"a" 1}`, `{"a":,}`, `{a:1}`, `{1:1}`,
		`{"a":1}}`, `[1]]`, `1 2`, `{} {}`, `{}x`, "{}\x00", "{}\u00a0", "{}\v", "{}\f", "\ufeff{}", `{"a"::1}`, `[[]`, `[}`, `{]`, `{"a":1]`, `{"a":}`, `:`, `,`,
		// Words and numbers.
		`tru`, `truee`, `True`, `nul`, `nulll`, `fals`, `NaN`, `Infinity`, `-`, `+1`, `-0`, `00`, `01`, `-01`, `1.`, `.1`, `1.0`, `1.e1`, `1e`, `1e+`, `1e-1`, `1E5`, `1e5.5`,
		`0x1`, `1_0`, `--1`, `1-`, `-a`, `0e0`, `0.0e-0`, `9999999999999999999999e9999`, `[1.5,-2E+3]`, `[true,false,null]`, `[truefalse]`, `[1"a"]`,
		// Strings.
		`"\a"`, `"\`, `"\"`, `"\u"`, `"\u12"`, `"\u12g4"`, `"\uABCD"`, `"\uabcd`, `"\u123"`, `"\b\f\n\r\t\/\\\""`, `"\U0041"`, "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\n\"", `'a'`, `"a"b"`,
	}
	// What is odd in a string, in each place of a word of eight bytes.
	for _, odd := range []string{
		`"`, `\"`, `\\`, `\n`, `\u00e9`, `\x`, "\x00", "\x1f", " ", "!", "#", "[", "]", "\x7f", "\u0080", "é", "漢", "😀", "\u2028",
		"\x80", "\xc0\xaf", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xff", "\xa2", "\xdc", "\xa0",
	} {
		for before := range 10 {
			for _, after := range []int{0, 1, 7, 8, 20} {
				all = append(all, `{"a":"`+strings.Repeat("x", before)+odd+strings.Repeat("y", after)+`"}`)
			}
		}
	}
	for _, n := range []int{1, 2, 3, 4, MaxDepth, MaxDepth + 1, maxEventDepth + 1, maxDecoderDepth} {
		all = append(
			all, strings.Repeat("[", n)+strings.Repeat("]", n), strings.Repeat("[", n), strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n),
			strings.Repeat(`[{"[{":`, n/2)+`"]}"`+strings.Repeat("}]", n/2),
		)
	}
	return all
}

func TestScan(t *testing.T) {
	t.Parallel()
	for _, body := range texts() {
		sameScan(t, []byte(body))
	}
}

// TestScanEachByte puts each byte into each place of some texts.
func TestScanEachByte(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a": [1.5e-7, "b\u00e9\n", true, null], "é": {}} `, `"0123456789abcdef"`, `-10.25E+3`, `[false]`} {
		for i := range len(text) {
			for c := range 256 {
				body := []byte(text)
				body[i] = byte(c)
				sameScan(t, body)
				sameScan(t, append(body[:i:i], text[i+1:]...))
				sameScan(t, append(append(body[:i:i], byte(c)), text[i:]...))
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, body := range texts() {
		if len(body) < 1000 {
			f.Add([]byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if deeperThan(body, maxDecoderDepth) < 0 { // where encoding/json gives up
			sameScan(t, body)
		}
	})
}
