package journey

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// queuedDelivery is a delivery on its way.
type queuedDelivery struct {
	Queued

	delivery, endpoint, eventID, eventType string
}

// takeQueued takes a delivery that is due, or waits.
func (f *finder) takeQueued(m *bus.Message) {
	value := func(name string) string { return events.HeaderValue(m.Header, name) }
	q := &queuedDelivery{
		Queued:   Queued{Attempt: 1, At: m.Time, Stream: m.Stream, Sequence: m.Sequence, ReplayID: value(events.HeaderReplay), trace: traceOf(m.Header)},
		delivery: value(events.HeaderDelivery), endpoint: lastToken(m.Subject),
	}
	if n, err := strconv.Atoi(value(events.HeaderAttempt)); err == nil && n > 0 {
		q.Attempt = n
	}
	if due, scheduled := strings.CutPrefix(value(events.HeaderSchedule), "@at "); scheduled {
		q.Due, q.endpoint = when(due), lastToken(value(events.HeaderScheduleTarget))
	}
	ev, err := events.ParseBinary(m.Header, m.Body)
	if err != nil {
		ev, err = events.ParseStructured(m.Body)
	}
	if err == nil {
		q.eventID, q.eventType = ev.ID, ev.Type
		if trace := traceID(ev.TraceParent); trace != "" {
			q.trace = trace
		}
	}
	key := fmt.Sprintf("%s/%d", m.Stream, m.Sequence)
	if !f.belongs(q.delivery, q.eventID, q.trace, q.ReplayID) || f.waiting[key] != nil || !f.room() {
		return
	}
	f.waiting[key] = q
	f.learn(q.delivery, q.eventID)
	f.trace(q.trace)
	f.meant(IsDelivery, q.delivery)
	f.meant(IsEvent, q.eventID)
}

// takeAttempts takes the records of attempts, of which a message has many.
func (f *finder) takeAttempts(m *bus.Message) {
	var records []events.DeliveryAttempt
	if json.Unmarshal(m.Body, &records) != nil {
		return // nobody can read it
	}
	for i, a := range records {
		if f.belongs(a.DeliveryID, a.EventID, a.ReplayID) {
			f.takeAttempt(fmt.Sprintf("%d/%d", m.Sequence, i), a)
		}
	}
}

// takeAttempt takes one attempt.
func (f *finder) takeAttempt(key string, a events.DeliveryAttempt) {
	if _, known := f.attempts[key]; known || !f.room() {
		return
	}
	f.attempts[key] = a
	f.learn(a.DeliveryID, a.EventID)
	f.meant(IsDelivery, a.DeliveryID)
	f.meant(IsEvent, a.EventID)
	f.trace(traceOfAttempt(a))
}

// traceOfAttempt is the trace that was told to the receiver.
func traceOfAttempt(a events.DeliveryAttempt) string {
	for name, value := range a.Request {
		if strings.EqualFold(name, events.HeaderTraceParent) {
			return traceID(value)
		}
	}
	return ""
}
