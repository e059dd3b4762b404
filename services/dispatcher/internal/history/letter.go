package history

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
)

// maxAttempt bounds what is believed of a number of attempts.
const maxAttempt = 1_000_000

// deadSubjects are the subjects of the dead letters of deliveries.
func (h *History) deadSubjects(f events.DeliveryFilter) []string {
	return []string{h.subjects.DeadDelivery(orAll(f.Fault), orAll(f.EndpointID))}
}

// lastTokens returns the last two tokens of a subject.
func lastTokens(subject string) (string, string) {
	rest, last := cutLast(subject)
	_, before := cutLast(rest)
	return before, last
}

func cutLast(subject string) (rest, last string) {
	at := strings.LastIndexByte(subject, '.')
	return subject[:max(at, 0)], subject[at+1:]
}

// letter reads the dead letter of a delivery, of which the headers are enough unless somebody put the delivery there by
// hand. What cannot be read is left out.
func (h *History) letter(ctx context.Context, m *bus.Message) (events.Delivery, error) {
	value := func(name string) string { return events.HeaderValue(m.Header, name) }
	fault, endpointID := lastTokens(m.Subject)
	d := events.Delivery{
		ID: clip(value(events.HeaderDelivery), events.MaxIDLength), EndpointID: endpointID,
		EventID: clip(value(events.HeaderEventID), events.MaxIDLength), EventType: clip(value(events.HeaderEventType), events.MaxTypeLength),
		Status: events.AttemptDead, Attempt: attempts(m), At: m.Time.UTC(), Error: clip(value(events.HeaderDeadReason), maxErrorText),
		Fault: fault, DeadLetter: m.Sequence, ErrorClass: clip(value(events.HeaderDeadClass), maxClass),
	}
	if status, err := strconv.Atoi(value(events.HeaderDeadStatus)); err == nil && status > 0 && status < 1000 {
		d.HTTPStatus = status
	}
	if d.ID != "" && d.EventID != "" && d.EventType != "" {
		return d, nil
	}
	whole, err := h.whole(ctx, m)
	if err != nil {
		if errors.Is(err, bus.ErrNotFound) {
			return d, nil
		}
		return events.Delivery{}, err
	}
	if full, err := h.deliveryOf(whole, endpointID); err == nil { // otherwise it is what it is: a message that nobody can read
		d.ID, d.EventID, d.EventType = full.ID, full.Event.ID, full.Event.Type
	}
	return d, nil
}

// headerSize is what the server adds to a message whose body it leaves out: the size of that.
const headerSize = "Nats-Msg-Size"

// whole returns a message of which only the headers may have been read.
func (h *History) whole(ctx context.Context, m *bus.Message) (*bus.Message, error) {
	if len(m.Body) > 0 || events.HeaderValue(m.Header, headerSize) == "" {
		return m, nil
	}
	return h.streams.StoredMessage(ctx, m.Stream, m.Sequence)
}

// attempts is how many there were: which the last was, or how often the message was handed out.
func attempts(m *bus.Message) int {
	for _, name := range []string{events.HeaderAttempt, events.HeaderDeadAttempts} {
		if n, err := strconv.Atoi(events.HeaderValue(m.Header, name)); err == nil && n >= 0 && n <= maxAttempt {
			return n
		}
	}
	return 0
}

// deliveryOf makes the first attempt of a delivery of what a dead letter holds: a delivery, or, of a strictly ordered endpoint,
// an event in any of its forms. It keeps its id when it goes where it should have gone.
func (h *History) deliveryOf(m *bus.Message, to string) (delivery.Delivery, error) {
	ev, err := h.eventOf(m)
	if err != nil {
		return delivery.Delivery{}, err
	}
	d := delivery.New(ev, to, headerTime(m, events.HeaderPublishedAt))
	_, own := lastTokens(m.Subject)
	if id := events.HeaderValue(m.Header, events.HeaderDelivery); own == to && events.CheckToken(events.HeaderDelivery, id) == nil {
		d.ID = id
	}
	return d, nil
}

// eventOf reads the event that a dead letter of a delivery holds.
func (h *History) eventOf(m *bus.Message) (events.Event, error) {
	value := func(name string) string { return events.HeaderValue(m.Header, name) }
	header := make(map[string][]string, len(m.Header))
	for name, values := range m.Header { // without what tells of the former delivery, and the Nats-Msg-Id of the dead letter
		if lower := strings.ToLower(name); !strings.HasPrefix(lower, "nats-") && !strings.HasPrefix(lower, "mlsdm-") {
			header[name] = values
		}
	}
	subject := value(events.HeaderDeadSubject)
	if _, ok := h.subjects.EventType(subject); !ok {
		d, err := delivery.Read("", header, m.Body)
		return d.Event, err
	}
	if id := value(events.HeaderDeadMsgID); id != "" {
		header[events.HeaderMsgID] = []string{id}
	}
	stored := events.Stored{Stream: value(events.HeaderDeadStream), Time: headerTime(m, events.HeaderPublishedAt)}
	if stored.Time.IsZero() {
		stored.Time = m.Time
	}
	if seq, err := strconv.ParseUint(value(events.HeaderDeadSequence), 10, 64); err == nil {
		stored.Sequence = seq
	}
	ev, err := events.FromMessage(h.subjects, subject, header, m.Body, stored)
	if err != nil {
		return events.Event{}, err
	}
	if id := value(events.HeaderEventID); events.CheckID(events.HeaderEventID, id) == nil {
		ev.ID = id // the one under which it was tried, if it has none of its own
	}
	return ev, nil
}

// headerTime reads a time that only informs: one that cannot be read is not known.
func headerTime(m *bus.Message, name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, events.HeaderValue(m.Header, name))
	if err != nil {
		return time.Time{}
	}
	return t
}

// clip cuts a text that others wrote to at most limit bytes, between two characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
