package events_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const golden = "testdata/v1"

// goldenFiles lists the golden files in a folder.
func goldenFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in %s: %v", dir, err)
	}
	return files
}

// readGolden reads one golden event.
func readGolden(t testing.TB, name string) events.Event {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(golden, name))
	if err != nil {
		t.Fatal(err)
	}
	ev, err := events.ParseStructured(body)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return ev
}

// subjectOf returns what a golden file is an example of: its name up to a hyphen.
func subjectOf(file string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "-")
	return name
}

// compact returns JSON without the white space that makes a file readable.
func compact(t *testing.T, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	wantNoError(t, json.Compact(&b, body))
	return b.String()
}

func TestGoldenEventsAreReadAndWrittenTheSame(t *testing.T) {
	t.Parallel()
	for _, file := range goldenFiles(t, golden) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			wantNoError(t, err)
			ev := readGolden(t, filepath.Base(file))
			wantEqual(t, "type", ev.Type, subjectOf(file))
			out, err := ev.MarshalJSON()
			wantNoError(t, err)
			wantEqual(t, "event", strings.ReplaceAll(string(out), "\u2028", `\u2028`), strings.ReplaceAll(compact(t, body), "\u2028", `\u2028`))
			entry, known := events.FindType(ev.Type)
			if !known {
				return
			}
			wantNoError(t, events.CheckPayload(ev.Type, ev.Data))
			payload := reflect.New(reflect.TypeOf(entry.Payload))
			wantNoError(t, json.Unmarshal(ev.Data, payload.Interface()))
			data, err := json.Marshal(payload.Interface())
			wantNoError(t, err)
			wantEqual(t, "payload", string(data), compact(t, ev.Data))
		})
	}
}

func TestGoldenBodiesAreReadAndWrittenTheSame(t *testing.T) {
	t.Parallel()
	for _, file := range goldenFiles(t, filepath.Join(golden, "bodies")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			wantNoError(t, err)
			entry, ok := findBody(subjectOf(file))
			wantEqual(t, "known", ok, true)
			value := reflect.New(reflect.TypeOf(entry.Value))
			wantNoError(t, events.DecodeJSON(body, value.Interface()))
			if v, ok := reflect.TypeAssert[interface{ Validate() error }](value); ok {
				wantNoError(t, v.Validate())
			}
			out, err := json.Marshal(value.Interface())
			wantNoError(t, err)
			var got, want any
			wantNoError(t, json.Unmarshal(out, &got))
			wantNoError(t, json.Unmarshal(body, &want))
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %s\nwant %s", out, compact(t, body))
			}
		})
	}
}

func findBody(name string) (events.Body, bool) {
	for _, b := range events.Bodies() {
		if b.Name == name {
			return b, true
		}
	}
	return events.Body{}, false
}

func TestEverythingHasAGolden(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, file := range append(goldenFiles(t, golden), goldenFiles(t, filepath.Join(golden, "bodies"))...) {
		have[subjectOf(file)] = true
	}
	for _, et := range events.Types() {
		if !have[et.Name] {
			t.Errorf("there is no golden file %s/%s.json: write one", golden, et.Name)
		}
	}
	for _, b := range events.Bodies() {
		if !have[b.Name] {
			t.Errorf("there is no golden file %s/bodies/%s.json: write one", golden, b.Name)
		}
	}
}
