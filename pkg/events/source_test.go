package events_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
			if ok {
				require.NoError(t, err, "%s of %s", eventType, source)
				continue
			}
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%s of %s", eventType, source)
			require.ErrorContains(t, err, source)
		}
	}
}
