package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Nobody speaks in the name of a service of what the service does not say.
func TestSourceIsThePublisher(t *testing.T) {
	t.Parallel()
	for source, types := range map[string]map[string]bool{
		"/mlsdm/ciwatch":    {events.TypeCIDegraded: true, events.TypeSecretRotated: false, "custom.x": false, events.TypeSystemEmergencyShutdown: true},
		"/mlsdm/embedder":   {events.TypeRequestProcessed: true, events.TypeCIDegraded: false},
		"/mlsdm/secretd":    {events.TypeSecretRotated: true, events.TypeDeliveryFailed: false},
		"/mlsdm/dispatcher": {events.TypeDeliveryFailed: true, events.TypeMoralFilterReject: false},
		"/mlsdm/mlsdmctl":   {events.TypeMoralFilterReject: true, "custom.x": true},
		"/mlsdm/ciwatch/x":  {"custom.x": true},
		"/shop/orders":      {"custom.x": true, events.TypeMoralFilterAccept: true},
	} {
		for eventType, ok := range types {
			ev := events.Event{ID: "1", Source: source, Type: eventType, Data: []byte(`{}`)}
			header := map[string][]string{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {source}, "ce-type": {eventType}, "ce-time": {"2026-11-23T10:15:30Z"}, "Content-Type": {"application/json"}}
			_, err := events.FromMessage(events.Subjects{}, events.Subjects{}.Event(eventType), header, ev.Data, events.Stored{})
			switch {
			case ok && err != nil:
				t.Errorf("%s of %s: %v", eventType, source, err)
			case !ok && (events.CodeOf(err) != events.CodeInvalidArgument || !strings.Contains(err.Error(), source)):
				t.Errorf("%s of %s: %v; an invalid_argument that names the source is expected", eventType, source, err)
			}
		}
	}
}

// What JetStream can be made to send, and what bears no name, is no event of a type that belongs to certain services.
func TestBareEventsAreNotOfServices(t *testing.T) {
	t.Parallel()
	for eventType, ok := range map[string]bool{
		events.TypeCIDegraded: false, events.TypeSecretRotated: false, events.TypeRequestProcessed: false, events.TypeDeliveryFailed: false,
		events.TypeMoralFilterReject: true, events.TypeSystemRecoveryTriggered: true, events.TypeMemoryThresholdExceeded: true, "custom.x": true, "unheard.of": true,
	} {
		for name, body := range map[string]string{
			"an ack": `{"stream":"MLSDM_REQUESTS","seq":5}`, "nothing": "", "text": "hello",
			"no source": `{"specversion":"1.0","id":"1","type":"` + eventType + `","data":{}}`,
		} {
			_, err := events.FromMessage(events.Subjects{}, events.Subjects{}.Event(eventType), nil, []byte(body), events.Stored{Stream: "S", Sequence: 1, Time: time.Unix(1, 0)})
			switch {
			case ok && err != nil:
				t.Errorf("%s, %s: %v", eventType, name, err)
			case !ok && (events.CodeOf(err) != events.CodeInvalidArgument || !strings.Contains(err.Error(), "source")):
				t.Errorf("%s, %s: %v; it must be refused", eventType, name, err)
			}
		}
	}
}
