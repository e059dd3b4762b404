package body_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/body"
)

// FuzzRender compares what is written by hand with what [encoding/json] writes and reads.
func FuzzRender(f *testing.F) {
	f.Add("custom.x", "/a", "1", "text/plain", "a<b>&\u2028\u2029\x7f\xff\b\f\n\x01é😀", int64(1_700_000_000_123_456_789))
	f.Add("custom.x", "", "", "", ` {"a":[1,2]} `, int64(-1))
	f.Add("custom.x", "é", "\\", "image/png", "\x00", int64(0))
	f.Add("custom.x", "é", "\\", "application/x+json", `"\ud800"`, int64(1))
	f.Fuzz(func(t *testing.T, eventType, source, id, contentType, data string, nanos int64) {
		ev := events.Event{Type: eventType, Source: source, ID: id, DataContentType: contentType, Data: []byte(data), Time: time.Unix(0, nanos)}
		kind, err := body.KindOf(contentType)
		if err != nil || kind == body.JSON && data != "" && !json.Valid([]byte(data)) {
			return
		}
		got, _, err := body.Render(events.FormatStandard, ev)
		require.NoError(t, err)
		require.Equal(t, reference(t, kind, ev), string(got))

		got, _, err = body.Render(events.FormatMLSDM, ev)
		require.NoError(t, err)
		var read struct {
			EventType string          `json:"event_type"`
			Timestamp json.Number     `json:"timestamp"`
			Data      json.RawMessage `json:"data"`
			Source    string          `json:"source"`
			EventID   *string         `json:"event_id"`
		}
		require.NoError(t, json.Unmarshal(got, &read))
		require.Equal(t, string([]rune(eventType)), read.EventType) // each bad byte replaced
		require.Equal(t, byte('{'), read.Data[0])
		if source == "" {
			require.Equal(t, "mlsdm", read.Source)
		}
		require.Equal(t, id == "", read.EventID == nil)
		seconds, err := read.Timestamp.Float64()
		require.NoError(t, err)
		require.InDelta(t, float64(nanos)/1e9, seconds, 1e-5)
		if kind != body.JSON { // everything that we wrote ourselves is ASCII
			require.Negative(t, bytes.IndexFunc(got, func(r rune) bool { return r > '~' }))
		}
	})
}

// reference renders format standard with encoding/json.
func reference(t *testing.T, kind body.Kind, ev events.Event) string {
	t.Helper()
	marshal := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return string(text)
	}
	data := `"data":` + string(bytes.TrimSpace(ev.Data))
	switch {
	case len(ev.Data) == 0:
		data = `"data":null`
	case kind == body.Text:
		data = `"data":` + marshal(string(ev.Data))
	case kind == body.Bytes:
		data = `"data_base64":` + marshal(ev.Data)
	}
	return `{"type":` + marshal(ev.Type) + `,"timestamp":` + marshal(ev.Time.UTC().Format(time.RFC3339Nano)) + `,` + data + `}`
}
