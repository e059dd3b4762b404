package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
)

// BenchmarkRoute is what one event costs on its way to one endpoint, without the bus: it is read, and its delivery written.
func BenchmarkRoute(b *testing.B) {
	body := []byte(`{"specversion":"1.0","id":"1-42","source":"bench","type":"custom.bench","datacontenttype":"application/json",` +
		`"time":"2026-11-23T10:00:00.123456789Z","data":{"n":42,"sent":1795428930123456789,"padding":"` + strings.Repeat("x", 780) + `"}}`)
	header := map[string][]string{events.HeaderMsgID: {"1-42"}, events.HeaderContentType: {events.ContentTypeCloudEvent}}
	stored := events.Stored{Stream: "MLSDM_EVENTS", Sequence: 42, Time: time.Now()}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		ev, err := events.FromMessageShared(events.Subjects{}, "mlsdm.events.custom.bench", header, body, stored)
		if err != nil {
			b.Fatal(err)
		}
		d := delivery.New(ev, "shop", stored.Time)
		if _, _, err := d.Message(); err != nil || d.MessageID() == "" {
			b.Fatal(err)
		}
	}
}
