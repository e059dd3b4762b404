package events_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestBinaryRoundTrip: an event in binary mode is read as what it was, or it is not put into binary mode.
func TestBinaryRoundTrip(t *testing.T) {
	t.Parallel()
	base := func(change func(*events.Event)) events.Event {
		ev := events.Event{
			ID: "1", Source: "/a", Type: "custom.x", Time: time.Unix(1_700_000_000, 123456789).UTC(), DataContentType: events.ContentTypeJSON, Data: []byte(`{"a": 1}`),
		}
		change(&ev)
		return ev
	}
	all := map[string]events.Event{
		"plain":      base(func(*events.Event) {}),
		"no data":    base(func(ev *events.Event) { ev.Data = nil }),
		"nothing":    base(func(ev *events.Event) { ev.Data, ev.DataContentType = nil, "" }),
		"text":       base(func(ev *events.Event) { ev.DataContentType, ev.Data = "text/plain; charset=utf-8", []byte("hé\n") }),
		"bytes":      base(func(ev *events.Event) { ev.DataContentType, ev.Data = "application/octet-stream", []byte{0, 0xff, 10} }),
		"escapes":    base(func(ev *events.Event) { ev.ID, ev.Subject = `a%20b "ы"`, "100% 😀" }),
		"extensions": base(func(ev *events.Event) { ev.Extensions = map[string]any{"tenant": "a b", "x": "%41"} }),
		"all": base(func(ev *events.Event) {
			ev.Subject, ev.DataSchema = "s", "urn:x"
			ev.TraceParent, ev.TraceState = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b,c=d"
		}),
	}
	for _, file := range goldenFiles(t, golden) {
		all[filepath.Base(file)] = readGolden(t, filepath.Base(file))
	}
	binary := 0
	for name, ev := range all {
		header := map[string][]string{}
		if !ev.SetBinary(header) {
			if len(header) != 0 {
				t.Errorf("%s: refused, but %v was set", name, header)
			}
			continue
		}
		binary++
		for key, values := range header {
			for _, c := range values[0] {
				if c < ' ' || c > '~' {
					t.Errorf("%s: the header %s holds %q", name, key, values[0])
				}
			}
		}
		got, err := events.ParseBinary(header, ev.Data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got, ev) {
			t.Errorf("%s: got %#v\nwant %#v", name, got, ev)
		}
	}
	wantEqual(t, "most are", binary > len(all)/2, true)
	for name, ev := range map[string]events.Event{
		"number":  base(func(ev *events.Event) { ev.Extensions = map[string]any{"n": int32(1)} }),
		"untyped": base(func(ev *events.Event) { ev.DataContentType = "" }),
	} {
		wantEqual(t, name, ev.SetBinary(map[string][]string{}), false)
	}
}

func TestParseBinaryRefuses(t *testing.T) {
	t.Parallel()
	good := func() map[string][]string {
		return header("ce-specversion", "1.0", "ce-id", "1", "ce-source", "/a", "ce-type", "custom.x", "Content-Type", "application/json")
	}
	if _, err := events.ParseBinary(good(), []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	_, err := events.ParseBinary(good(), []byte(`{`))
	wantError(t, err, events.CodeInvalidArgument)
	_, err = events.ParseBinary(good(), make([]byte, events.MaxBody+1))
	wantError(t, err, events.CodeInvalidArgument, "bytes")
	_, err = events.ParseBinary(map[string][]string{}, []byte(`1`))
	wantError(t, err, events.CodeInvalidArgument, "specversion")
	for _, name := range []string{"ce-id", "ce-source", "ce-type"} {
		h := good()
		delete(h, name)
		_, err = events.ParseBinary(h, []byte(`1`))
		wantError(t, err, events.CodeInvalidArgument)
	}
}
