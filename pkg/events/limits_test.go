package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// nested returns n arrays in one another.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]string{
		"object": `{}`, "scalar": ` 1 `, "deepest": nested(events.MaxDepth), "largest": `"` + strings.Repeat("x", events.MaxBody-2) + `"`,
		"brackets in strings": `{"a":"` + strings.Repeat(`[{\"\\`, 200) + `"}`, "wide": "[" + strings.Repeat("[],", 1000) + "[]]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantNoError(t, events.CheckJSON([]byte(good)))
		})
	}
	for name, tc := range map[string]struct{ body, word string }{
		"empty":               {"", "empty"},
		"white":               {" \n", "empty"},
		"cut":                 {`{"a":`, "not JSON at byte 5"},
		"trailing":            {`{} x`, "not JSON at byte 4"},
		"two values":          {`{}{}`, "not JSON at byte 3"},
		"too deep":            {nested(events.MaxDepth + 1), "deeper than 64 levels at byte 64"},
		"objects":             {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "deeper than 64 levels"},
		"far too deep":        {nested(100_000), "deeper than 64 levels at byte 64"},
		"deep and not closed": {strings.Repeat("[", 500_000), "deeper than 64 levels at byte 64"},
		"too large":           {`"` + strings.Repeat("x", events.MaxBody) + `"`, "1048578 bytes"},
		"bad UTF-8":           {"{\"a\":\"\xff\"}", "UTF-8 at byte 6"},
		"cut UTF-8":           {"\"\xe2\x82", "UTF-8 at byte 1"},
		"NaN":                 {`NaN`, "not JSON"},
		"comment":             {`{} // x`, "not JSON"},
		"control character":   {"\"a\nb\"", "not JSON"},
		"byte order mark":     {"\ufeff{}", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantError(t, events.CheckJSON([]byte(tc.body)), events.CodeInvalidArgument, tc.word)
			var v any
			wantError(t, events.DecodeJSON([]byte(tc.body), &v), events.CodeInvalidArgument, tc.word)
		})
	}
}

func TestCheckText(t *testing.T) {
	t.Parallel()
	wantNoError(t, events.CheckText([]byte("Grüße \x00 {[")))
	wantNoError(t, events.CheckText(nil))
	wantError(t, events.CheckText([]byte("a\xc0\xaf")), events.CodeInvalidArgument, "UTF-8 at byte 1")
	wantError(t, events.CheckText(make([]byte, events.MaxBody+1)), events.CodeInvalidArgument, "1048577 bytes")
}

func TestDecodeJSONSaysWhatAndWhere(t *testing.T) {
	t.Parallel()
	type inner struct {
		N    int8      `json:"n"`
		At   time.Time `json:"at"`
		Data []byte    `json:"data"`
	}
	type outer struct {
		List  []inner           `json:"list"`
		Name  string            `json:"name"`
		On    bool              `json:"on"`
		Share float32           `json:"share"`
		Map   map[string]uint16 `json:"map"`
	}
	for body, words := range map[string][]string{
		`[]`:                       {"the body must be an object", "array"},
		`"x"`:                      {"the body must be an object", "string"},
		`{"name":5}`:               {"name must be a string", "number"},
		`{"on":"yes"}`:             {"on must be true or false", "string"},
		`{"list":{}}`:              {"list must be a list", "object"},
		`{"list":[{"n":"1"}]}`:     {"n must be a whole number in range", "string"},
		`{"list":[{"n":300}]}`:     {"n must be a whole number in range", "300"},
		`{"list":[{"n":1.5}]}`:     {"n must be a whole number in range"},
		`{"share":1e300}`:          {"share must be a number in range"},
		`{"map":{"a":-1}}`:         {"a whole number in range"},
		`{"list":[{"at":"noon"}]}`: {"time", "noon", "RFC 3339"},
		`{"list":[{"data":"!"}]}`:  {"base64"},
		`{"list":[{"n":1` + strings.Repeat("0", 5000) + `}]}`:         {"whole number in range"},
		`{"list":[{"at":"` + strings.Repeat("x", 5000) + `"}]}`:       {"RFC 3339"},
		`{"map":{"` + strings.Repeat("x", 5000) + `":"` + `secret"}}`: {"a whole number"},
	} {
		err := events.DecodeJSON([]byte(body), &outer{})
		wantError(t, err, events.CodeInvalidArgument, words...)
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "outer") {
			t.Fatalf("the message quotes the payload or our types: %v", err)
		}
	}
	var got outer
	wantNoError(t, events.DecodeJSON([]byte(`{"name":"a","later":[1,{"x":null}]}`), &got))
	wantEqual(t, "name", got.Name, "a")
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	arrived := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		header map[string][]string
		want   time.Duration // after arrived
		ok     bool
	}{
		"none":          {nil, 0, false},
		"empty":         {map[string][]string{events.HeaderDeadline: {""}, events.HeaderTimeoutMS: {""}}, 0, false},
		"deadline":      {map[string][]string{"mlsdm-deadline": {"2026-11-23T12:00:01+02:00"}}, time.Second, true},
		"fraction":      {map[string][]string{events.HeaderDeadline: {"2026-11-23T10:00:00.25Z"}}, 250 * time.Millisecond, true},
		"past":          {map[string][]string{events.HeaderDeadline: {"2026-11-23T09:59:59Z"}}, -time.Second, true},
		"timeout":       {map[string][]string{"MLSDM-TIMEOUT-MS": {"1500"}}, 1500 * time.Millisecond, true},
		"longest":       {map[string][]string{events.HeaderTimeoutMS: {"86400000"}}, 24 * time.Hour, true},
		"timeout first": {map[string][]string{events.HeaderDeadline: {"2026-11-23T10:00:09Z"}, events.HeaderTimeoutMS: {"10"}}, 10 * time.Millisecond, true},
		"deadline first": {
			map[string][]string{events.HeaderDeadline: {"2026-11-23T10:00:01Z"}, events.HeaderTimeoutMS: {"60000"}}, time.Second, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := events.Deadline(tc.header, arrived)
			wantNoError(t, err)
			wantEqual(t, "ok", ok, tc.ok)
			if ok {
				wantEqual(t, "deadline", got.Sub(arrived), tc.want)
			}
		})
	}
	for _, bad := range []string{"tomorrow", "2026-11-23", "2026-11-23T10:00:00", "1795428930", strings.Repeat("9", 5000)} {
		_, ok, err := events.Deadline(map[string][]string{events.HeaderDeadline: {bad}}, arrived)
		wantEqual(t, "ok", ok, false)
		wantError(t, err, events.CodeInvalidArgument, events.HeaderDeadline, "RFC 3339")
	}
	for _, bad := range []string{"0", "-1", "1.5", "1s", "86400001", "99999999999999999999", " 5", "٣", strings.Repeat("9", 5000)} {
		_, ok, err := events.Deadline(map[string][]string{events.HeaderTimeoutMS: {bad}}, arrived)
		wantEqual(t, "ok", ok, false)
		wantError(t, err, events.CodeInvalidArgument, events.HeaderTimeoutMS)
	}
}

func TestResultTTL(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]time.Duration{"": time.Hour, "1s": time.Second, "90m": 90 * time.Minute, "24h": 24 * time.Hour, "1500ms": 1500 * time.Millisecond} {
		got, err := events.ResultTTL(map[string][]string{"mlsdm-result-ttl": {v}})
		wantNoError(t, err)
		wantEqual(t, "ttl", got, want)
	}
	for _, bad := range []string{"0", "999ms", "24h1s", "-5m", "never", "60", "1d", strings.Repeat("9", 5000) + "h"} {
		_, err := events.ResultTTL(map[string][]string{events.HeaderResultTTL: {bad}})
		wantError(t, err, events.CodeInvalidArgument, events.HeaderResultTTL)
	}
}
