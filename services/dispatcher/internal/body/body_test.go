package body_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/body"
)

// event is an event whose data is of some media type.
func event(contentType, data string) events.Event {
	return events.Event{
		ID: "evt-1", Source: "/mlsdm/test", Type: "custom.x", Time: time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.FixedZone("", 3600)),
		DataContentType: contentType, Data: []byte(data),
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	const (
		head = `{"type":"custom.x","timestamp":"2026-01-31T11:00:00.123456789Z",`
		ce   = `{"specversion":"1.0","id":"evt-1","source":"/mlsdm/test","type":"custom.x","time":"2026-01-31T11:00:00.123456789Z"`
		py   = `{"event_type": "custom.x", "timestamp": 1769857200.123456, "data": `
		tail = `, "source": "/mlsdm/test", "event_id": "evt-1"}`
	)
	tests := map[string]struct {
		contentType, data            string
		standard, cloudevents, mlsdm string
	}{
		"object":        {"", `{"a": 1}`, `"data":{"a": 1}}`, `,"data":{"a":1}}`, `{"a": 1}`},
		"white space":   {"application/json", "\n {\"a\": 1}\t ", `"data":{"a": 1}}`, `,"datacontenttype":"application/json","data":{"a":1}}`, `{"a": 1}`},
		"media type":    {"application/vnd.x+json; charset=utf-8", `[1]`, `"data":[1]}`, `,"datacontenttype":"application/vnd.x+json; charset=utf-8","data":[1]}`, `{"value": [1]}`},
		"text json":     {"Text/JSON", `7`, `"data":7}`, `,"datacontenttype":"Text/JSON","data":7}`, `{"value": 7}`},
		"a JSON string": {"", `"{"`, `"data":"{"}`, `,"data":"{"}`, `{"value": "{"}`},
		"null":          {"", ` null `, `"data":null}`, `,"data":null}`, `{}`},
		"nothing":       {"", ``, `"data":null}`, `}`, `{}`},
		"no text":       {"text/plain", ``, `"data":null}`, `,"datacontenttype":"text/plain"}`, `{}`},
		"text":          {"text/plain", "<a> \"é\"\n", `"data":"\u003ca\u003e \"é\"\n"}`, `,"datacontenttype":"text/plain","data":"<a> \"é\"\n"}`, `{"value": "<a> \"\u00e9\"\n"}`},
		"JSON as text":  {"text/plain", `{"a":1}`, `"data":"{\"a\":1}"}`, `,"datacontenttype":"text/plain","data":"{\"a\":1}"}`, `{"value": "{\"a\":1}"}`},
		"bytes":         {"image/png", "\x89PNG", `"data_base64":"iVBORw=="}`, `,"datacontenttype":"image/png","data_base64":"iVBORw=="}`, `{"value_base64": "iVBORw=="}`},
	}
	for name, tt := range tests {
		ev := event(tt.contentType, tt.data)
		for format, want := range map[string]string{
			"": head + tt.standard, events.FormatStandard: head + tt.standard, events.FormatCloudEvents: ce + tt.cloudevents, events.FormatMLSDM: py + tt.mlsdm + tail,
		} {
			got, contentType, err := body.Render(format, ev)
			require.NoError(t, err, "%s as %s", name, format)
			require.Equal(t, want, string(got), "%s as %s", name, format)
			require.True(t, json.Valid(got), "%s as %s", name, format)
			wantType := "application/json"
			if format == events.FormatCloudEvents {
				wantType = "application/cloudevents+json"
			}
			require.Equal(t, wantType, contentType)
			again, _, err := body.Render(format, ev)
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	}
}

func TestCloudEventsReadsBack(t *testing.T) {
	t.Parallel()
	ev := event("text/plain", "hällo")
	ev.Subject, ev.Extensions = "a/b", map[string]any{"tenant": "x", "n": int32(3), "b": true}
	ev.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got, _, err := body.Render(events.FormatCloudEvents, ev)
	require.NoError(t, err)
	read, err := events.ParseStructured(got)
	require.NoError(t, err)
	ev.Time = ev.Time.UTC()
	require.Equal(t, ev, read)
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	_, _, err := body.Render("xml", event("", "{}"))
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	require.ErrorContains(t, err, "standard, cloudevents or mlsdm")
	for _, format := range []string{events.FormatStandard, events.FormatCloudEvents, events.FormatMLSDM} {
		_, _, err := body.Render(format, event("no media type", "{}"))
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), format)
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]body.Kind{
		"": body.JSON, "application/json": body.JSON, "Application/JSON; charset=utf-8": body.JSON, "text/json": body.JSON,
		"application/cloudevents+json": body.JSON, "text/plain": body.Text, "text/html; charset=x": body.Text,
		"application/xml": body.Bytes, "application/json-seq": body.Bytes, "image/png": body.Bytes,
	} {
		got, err := body.KindOf(contentType)
		require.NoError(t, err, contentType)
		require.Equal(t, want, got, contentType)
	}
	_, err := body.KindOf("/")
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

func BenchmarkRender(b *testing.B) {
	ev := event("application/json", `{"reason":"toxicity","text":"`+string(make1KiB())+`"}`)
	for _, format := range []string{events.FormatStandard, events.FormatCloudEvents, events.FormatMLSDM} {
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := body.Render(format, ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func make1KiB() []byte {
	text := make([]byte, 1024)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	return text
}
