// Package interop checks that the official CloudEvents SDK for Go and package events read what the other writes.
package interop_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// goldens returns every golden event of version 1, as it stands in its file.
func goldens(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "pkg", "events", "testdata", "v1", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	found := map[string][]byte{}
	for _, file := range files {
		found[strings.TrimSuffix(filepath.Base(file), ".json")], err = os.ReadFile(file)
		require.NoError(t, err)
	}
	return found
}

// requireSame checks that an event of the SDK says what an event of ours says.
func requireSame(t *testing.T, ours events.Event, theirs event.Event) {
	t.Helper()
	require.NoError(t, theirs.Validate())
	require.Equal(t, "1.0", theirs.SpecVersion())
	require.Equal(t, ours.ID, theirs.ID())
	require.Equal(t, ours.Source, theirs.Source())
	require.Equal(t, ours.Type, theirs.Type())
	require.Equal(t, ours.Subject, theirs.Subject())
	require.True(t, ours.Time.Equal(theirs.Time()), "%s and %s", ours.Time, theirs.Time())
	require.Equal(t, ours.DataContentType, theirs.DataContentType())
	require.Equal(t, ours.DataSchema, theirs.DataSchema())
	extensions := map[string]any{}
	maps.Copy(extensions, theirs.Extensions())
	for name, value := range map[string]string{"traceparent": ours.TraceParent, "tracestate": ours.TraceState} {
		if value != "" {
			require.Equal(t, value, extensions[name])
			delete(extensions, name)
		}
	}
	require.Len(t, extensions, len(ours.Extensions))
	for name, value := range ours.Extensions {
		require.EqualValues(t, value, extensions[name], name)
	}
	requireSameData(t, string(ours.Data), string(theirs.Data()))
}

// requireSameData compares data, but for the white space of JSON.
func requireSameData(t *testing.T, want, got string) {
	t.Helper()
	if json.Valid([]byte(want)) && json.Valid([]byte(got)) {
		require.JSONEq(t, want, got)
		return
	}
	require.Equal(t, want, got)
}

func TestSDKReadsWhatWeWrite(t *testing.T) {
	t.Parallel()
	for name, golden := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, err := events.ParseStructured(golden)
			require.NoError(t, err)
			_, _, body, err := ours.Message(events.Subjects{})
			require.NoError(t, err)
			var theirs event.Event
			require.NoError(t, json.Unmarshal(body, &theirs))
			requireSame(t, ours, theirs)
		})
	}
}

func TestSDKReadsWhatNewMakes(t *testing.T) {
	t.Parallel()
	ours, err := events.New("/mlsdm/secretd", events.SecretUnavailable{Name: "a", Store: "vault", Since: time.Now(), Code: events.CodeUnavailable})
	require.NoError(t, err)
	body, err := json.Marshal(ours)
	require.NoError(t, err)
	var theirs event.Event
	require.NoError(t, json.Unmarshal(body, &theirs))
	requireSame(t, ours, theirs)
	var payload events.SecretUnavailable
	require.NoError(t, theirs.DataAs(&payload))
	require.Equal(t, "vault", payload.Store)
}

// written are events that the SDK makes, one for each kind of data and of extension.
func written(t *testing.T) map[string]event.Event {
	t.Helper()
	made := map[string]event.Event{}
	add := func(name, contentType string, data any, change func(*event.Event)) {
		ev := event.New()
		ev.SetID("id-" + strings.ReplaceAll(name, " ", "-"))
		ev.SetSource("https://example.com/ci?x=1")
		ev.SetType("custom.deploy")
		ev.SetTime(time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.FixedZone("", 2*3600)))
		if data != nil {
			require.NoError(t, ev.SetData(contentType, data))
		}
		if change != nil {
			change(&ev)
		}
		require.NoError(t, ev.Validate())
		made[name] = ev
	}
	add("object", "application/json", map[string]any{"version": "1.2.3", "html": "<b>&</b>", "n": 1.5}, nil)
	add("list", "application/json; charset=utf-8", []int{1, 2}, nil)
	add("vendor json", "application/vnd.acme+json", map[string]any{"a": nil}, nil)
	add("text", "text/plain", "Grüße,\n\"Welt\" \u2028", nil)
	add("csv", "text/csv", []byte("a,b\n1,2\n"), nil)
	add("bytes", "application/octet-stream", []byte{0, 1, 0xfe, 0xff}, nil)
	add("no data", "", nil, nil)
	add("attributes", "application/json", "text", func(ev *event.Event) {
		ev.SetSubject("neuron7x/mlsdm <main> 100% ü")
		ev.SetDataSchema("https://example.com/schema.json")
	})
	add("extensions", "application/json", 1, func(ev *event.Event) {
		ev.SetExtension("tenant", "shop")
		ev.SetExtension("dry", true)
		ev.SetExtension("build", 2147483647)
		ev.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		ev.SetExtension("tracestate", "a=b")
	})
	return made
}

func TestWeReadWhatTheSDKWritesStructured(t *testing.T) {
	t.Parallel()
	for name, theirs := range written(t) {
		if name == "vendor json" { // the SDK takes every +json type for text (JSON format 1.0, section 3.1.1, says otherwise)
			continue
		}
		body, err := json.Marshal(theirs)
		require.NoError(t, err, name)
		for form, header := range map[string]map[string][]string{
			"declared": {"content-type": {event.ApplicationCloudEventsJSON}}, "guessed": nil,
		} {
			t.Run(name+", "+form, func(t *testing.T) {
				t.Parallel()
				ours, err := events.FromMessage(events.Subjects{}, "mlsdm.events.custom.deploy", header, body, events.Stored{})
				require.NoError(t, err)
				requireSame(t, ours, theirs)
			})
		}
	}
}
