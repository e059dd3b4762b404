package history

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// defaultList is how many deliveries a page has without a wish.
const defaultList = 100

// recordedWithin is how long after its beginning an attempt is on record: the longest timeout, and what the record waits for.
const recordedWithin = events.MaxEndpointTimeout + time.Minute

// List returns a page of deliveries, the oldest first. With status dead, or with a fault, these are the dead letters, each
// once, also those of deliveries that were never tried; their time is when they were given up. Otherwise they are the attempts
// on record; their time is when they began. Errors are an [events.Error].
func (h *History) List(ctx context.Context, r events.DeliveriesListRequest) (events.DeliveriesList, error) {
	if err := r.Validate(); err != nil {
		return events.DeliveriesList{}, err
	}
	if err := checkPattern(r.EventType); err != nil {
		return events.DeliveriesList{}, err
	}
	l := &list{h: h, filter: r.DeliveryFilter, limit: r.Limit, room: h.replyLimit()}
	if l.limit == 0 {
		l.limit = defaultList
	}
	w := walk{since: r.Since, messages: pageMessages, time: pageTime}
	stream, visit := events.StreamAttempts, l.addAttempts
	if r.Status == events.AttemptDead || r.Fault != "" {
		if r.Status != "" && r.Status != events.AttemptDead {
			return events.DeliveriesList{}, events.Errorf(events.CodeInvalidArgument, "fault chooses dead letters: leave status out, or let it be %s", events.AttemptDead)
		}
		stream = events.StreamDeadLetters
		visit = func(m *bus.Message, _ int) (step, error) { return l.addLetter(ctx, m) }
		w.subjects, w.until, w.headersOnly = h.deadSubjects(r.DeliveryFilter), r.Until, true
	} else {
		w.subjects = []string{h.subjects.Attempts(orAll(r.EndpointID))}
		if !r.Until.IsZero() {
			w.until = r.Until.Add(recordedWithin)
		}
	}
	var err error
	if w.at, err = parseCursor(r.Cursor, stream); err != nil {
		return events.DeliveriesList{}, err
	}
	p, err := h.walk(ctx, w, visit)
	if err != nil {
		return events.DeliveriesList{}, err
	}
	return events.DeliveriesList{Deliveries: append([]events.Delivery{}, l.found...), Cursor: p.cursor}, nil
}

// list is a page in the making.
type list struct {
	h      *History
	filter events.DeliveryFilter
	limit  int
	room   int // bytes
	found  []events.Delivery
}

// attempt is what a list shows of an [events.DeliveryAttempt].
type attempt struct {
	DeliveryID string    `json:"delivery_id"`
	EventID    string    `json:"event_id"`
	EventType  string    `json:"event_type"`
	Attempt    int       `json:"attempt"`
	At         time.Time `json:"at"`
	Status     int       `json:"status"`
	Outcome    string    `json:"outcome"`
	Error      string    `json:"error"`
	ErrorClass string    `json:"error_class"`
	Fault      string    `json:"fault"`
	NextAt     time.Time `json:"next_at"`
}

// addAttempts takes a batch of records. One that is none is passed over: the dispatcher has not written it.
func (l *list) addAttempts(m *bus.Message, from int) (step, error) {
	var batch []attempt
	if json.Unmarshal(m.Body, &batch) != nil {
		return goOn, nil //nolint:nilerr // documented
	}
	_, endpointID := cutLast(m.Subject)
	for i := from; i < len(batch); i++ {
		a := &batch[i]
		if !l.wants(a) {
			continue
		}
		fits, err := l.add(events.Delivery{
			ID: clip(a.DeliveryID, events.MaxIDLength), EndpointID: endpointID, EventID: clip(a.EventID, events.MaxIDLength),
			EventType: clip(a.EventType, events.MaxTypeLength), Status: clip(a.Outcome, events.MaxIDLength), Attempt: a.Attempt, At: a.At,
			HTTPStatus: a.Status, Error: clip(a.Error, maxErrorText), ErrorClass: clip(a.ErrorClass, events.MaxIDLength),
			NextAt: a.NextAt, Fault: clip(a.Fault, events.MaxIDLength),
		})
		if err != nil {
			return 0, err
		}
		if !fits {
			return step(i), nil
		}
	}
	if len(l.found) >= l.limit {
		return enough, nil
	}
	return goOn, nil
}

// wants applies the filter to a record.
func (l *list) wants(a *attempt) bool {
	f := l.filter
	return (f.Status == "" || f.Status == a.Outcome) && matches(f.EventType, a.EventType) &&
		!a.At.Before(f.Since) && (f.Until.IsZero() || a.At.Before(f.Until))
}

// addLetter takes a dead letter.
func (l *list) addLetter(ctx context.Context, m *bus.Message) (step, error) {
	d, err := l.h.letter(ctx, m)
	if err != nil {
		return 0, err
	}
	if !matches(l.filter.EventType, d.EventType) {
		return goOn, nil
	}
	fits, err := l.add(d)
	switch {
	case err != nil:
		return 0, err
	case !fits:
		return 0, nil
	case len(l.found) >= l.limit:
		return enough, nil
	default:
		return goOn, nil
	}
}

// add appends an entry if there is room on the page. The first always fits.
func (l *list) add(d events.Delivery) (fits bool, err error) {
	text, err := json.Marshal(d)
	if err != nil {
		return false, fmt.Errorf("writing a delivery as JSON: %w", err)
	}
	size := len(text) + 1
	if len(l.found) > 0 && (len(l.found) >= l.limit || size > l.room) {
		return false, nil
	}
	l.room -= size
	l.found = append(l.found, d)
	return true, nil
}
