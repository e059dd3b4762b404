package delivery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func own() Delivery {
	ev := events.Event{
		ID: "event 1", Source: "/x y", Type: "custom.x", Subject: "100%", Time: time.Unix(1_700_000_000, 5).UTC(),
		DataContentType: events.ContentTypeJSON, Data: []byte(`{"a":1}`), TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	d := New(ev, "shop", time.Unix(1_700_000_001, 0).UTC())
	d.Attempt, d.FirstAttemptAt, d.Slot, d.ReplayID, d.Probe = 3, time.Unix(1_700_000_002, 7).UTC(), time.Unix(1_700_000_003, 0).UTC(), "again", 7
	return d
}

// The quick way reads what the slow way reads, or nothing.
func TestReadOwn(t *testing.T) {
	t.Parallel()
	want := own()
	header, body, err := want.Message()
	require.NoError(t, err)
	header[events.HeaderMsgID] = []string{"x"}
	header[events.HeaderTraceParent] = []string{want.Event.TraceParent}
	got, ok := readOwn("shop", header, body)
	require.True(t, ok)
	require.Equal(t, want, got)

	for name, change := range map[string]func(h map[string][]string){
		"no specversion":     func(h map[string][]string) { delete(h, "ce-specversion") },
		"other specversion":  func(h map[string][]string) { h["ce-specversion"] = []string{"0.3"} },
		"no id":              func(h map[string][]string) { delete(h, "ce-id") },
		"bad type":           func(h map[string][]string) { h["ce-type"] = []string{"a b"} },
		"bad time":           func(h map[string][]string) { h["ce-time"] = []string{"now"} },
		"no content type":    func(h map[string][]string) { delete(h, events.HeaderContentType) },
		"extension":          func(h map[string][]string) { h["ce-tenant"] = []string{"a"} },
		"other letters":      func(h map[string][]string) { h["CE-Subject"] = []string{"a"} },
		"ours in others":     func(h map[string][]string) { h["mlsdm-attempt"] = []string{"1"} },
		"two values":         func(h map[string][]string) { h["ce-id"] = []string{"a", "b"} },
		"bad attempt":        func(h map[string][]string) { h[events.HeaderAttempt] = []string{"x"} },
		"attempt 0":          func(h map[string][]string) { h[events.HeaderAttempt] = []string{"0"} },
		"bad probe":          func(h map[string][]string) { h[events.HeaderProbe] = []string{"-1"} },
		"bad delivery":       func(h map[string][]string) { h[events.HeaderDelivery] = []string{"a b"} },
		"bad replay":         func(h map[string][]string) { h[events.HeaderReplay] = []string{"a b"} },
		"not percent-coded":  func(h map[string][]string) { h["ce-subject"] = []string{"100%"} },
		"somebody's headers": func(h map[string][]string) { h["X-Mine"] = []string{"a"} },
	} {
		h, body, err := want.Message()
		require.NoError(t, err)
		change(h)
		_, ok := readOwn("shop", h, body)
		require.False(t, ok, name)
	}
}

// BenchmarkRead is what one delivery costs its reader.
func BenchmarkRead(b *testing.B) {
	header, body, err := own().Message()
	require.NoError(b, err)
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Read("shop", header, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("anybody's", func(b *testing.B) {
		header["X-Mine"] = []string{"a"}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Read("shop", header, body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
