package events_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func BenchmarkFromMessage(b *testing.B) {
	structured, err := readGolden(b, "ci.degraded.json").MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	data := string(readGolden(b, "ci.degraded.json").Data)
	ce := header("ce-specversion", "1.0", "ce-id", "1", "ce-source", "/mlsdm/ciwatch", "ce-type", "ci.degraded", "Content-Type", "application/json")
	for name, f := range map[string]form{
		"structured": {header("Content-Type", events.ContentTypeCloudEvent, "Nats-Msg-Id", "1"), string(structured)},
		"guessed":    {header("Nats-Msg-Id", "1"), string(structured)},
		"binary":     {ce, data},
		"bare":       {header("Nats-Msg-Id", "1"), data},
		"bare-64KiB": {header("Nats-Msg-Id", "1"), `{"a":[` + strings.Repeat(`{"b":"cccccccc"},`, 3855) + `1]}`},
		// The floor: what one pass of the standard decoder over the same bytes costs.
		"floor": {nil, string(structured)},
	} {
		body := []byte(f.body)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if name == "floor" {
					var members map[string]json.RawMessage
					if err := json.Unmarshal(body, &members); err != nil {
						b.Fatal(err)
					}
					continue
				}
				if _, err := events.FromMessage(events.Subjects{}, "mlsdm.events.ci.degraded", f.header, body, stored()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMarshalJSON(b *testing.B) {
	for _, name := range []string{"ci.degraded", "custom.text", "custom.binary", "custom.deploy"} {
		ev := readGolden(b, name+".json")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ev.MarshalJSON(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFindType(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := events.FindType(events.TypeEndpointRecovered); !ok {
			b.Fatal("not found")
		}
	}
}
