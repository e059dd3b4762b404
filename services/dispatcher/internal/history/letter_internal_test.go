package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// FuzzLetter: whatever stands in a dead letter, what is read of it is bounded, and what can be delivered again can be sent.
func FuzzLetter(f *testing.F) {
	f.Add("mlsdm.deliveries.ready.a", "application/cloudevents+json", "id", "e", "custom.x", "3", "2026-01-31T12:00:00Z", []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"custom.x"}`))
	f.Add("mlsdm.events.custom.x", "application/json", "", "", "", "0", "", []byte(`{"n":1}`))
	f.Add("mlsdm.events.", "text/plain", "a b", "\x00", "..", "-1", "yesterday", []byte("\xff"))
	f.Fuzz(func(t *testing.T, subject, contentType, id, eventID, eventType, attempt, published string, body []byte) {
		m := &bus.Message{
			Subject: "mlsdm.deadletters.deliveries.receiver.a", Stream: "MLSDM_DEADLETTERS", Sequence: 7, Time: time.Unix(1, 0), Body: body,
			Header: map[string][]string{
				events.HeaderDeadSubject: {subject}, events.HeaderContentType: {contentType}, events.HeaderDelivery: {id},
				events.HeaderEventID: {eventID}, events.HeaderEventType: {eventType}, events.HeaderAttempt: {attempt},
				events.HeaderPublishedAt: {published}, events.HeaderDeadSequence: {attempt}, events.HeaderDeadMsgID: {eventID}, "ce-id": {eventID},
			},
		}
		h := &History{}
		d, err := h.letter(t.Context(), m)
		require.NoError(t, err)
		require.LessOrEqual(t, len(d.ID), events.MaxIDLength)
		require.LessOrEqual(t, len(d.EventType), events.MaxTypeLength)
		require.GreaterOrEqual(t, d.Attempt, 0)
		fresh, err := h.deliveryOf(m, "b")
		if err != nil {
			return
		}
		require.NoError(t, events.CheckToken("id", fresh.ID))
		require.Equal(t, 1, fresh.Attempt)
		_, _, err = fresh.Message()
		require.NoError(t, err)
	})
}
