package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of one search.
const (
	searchTime  = 10 * time.Second       // in each of the two streams; the caller's patience may end it sooner
	spareTime   = 500 * time.Millisecond // of that patience, to answer
	maxAttempts = 1000                   // on record of one delivery; of more, the latest
)

// Get returns one delivery: its attempts, and its latest dead letter with the event, as far as they are on record and fit a
// reply: then the latest attempts do. It is not_found when nothing is on record, and deadline_exceeded when nothing was found in
// the time that there was.
func (h *History) Get(ctx context.Context, r events.DeliveryRequest) (events.DeliveryDetail, error) {
	if err := r.Validate(); err != nil {
		return events.DeliveryDetail{}, err
	}
	dead, published, all, err := h.findLetter(ctx, r)
	if err != nil {
		return events.DeliveryDetail{}, err
	}
	if dead.ID != "" {
		r.EndpointID = dead.EndpointID
	}
	found, allAttempts, err := h.findAttempts(ctx, r, published)
	if err != nil {
		return events.DeliveryDetail{}, err
	}
	if dead.ID == "" && len(found) == 0 {
		if !all || !allAttempts {
			return events.DeliveryDetail{}, events.Errorf(events.CodeDeadlineExceeded,
				"there is more on record than could be looked at in time, and delivery %q was not found in it: name its endpoint_id too", r.ID)
		}
		return events.DeliveryDetail{}, events.Errorf(events.CodeNotFound, "nothing is on record of a delivery %q", r.ID)
	}
	detail := events.DeliveryDetail{Delivery: lastState(dead, found)}
	room := h.replyLimit()
	if dead.ID != "" {
		if detail.Event, err = h.deadEvent(ctx, dead.DeadLetter); err != nil {
			return events.DeliveryDetail{}, err
		}
		if len(detail.Event) > room/2 {
			detail.Event = nil
		}
		room -= len(detail.Event)
	}
	detail.Attempts, err = latest(found, room)
	return detail, err
}

// searchWalk is a walk of a search: all at once.
func (h *History) searchWalk(ctx context.Context, stream string) walk {
	w := walk{at: cursor{stream: stream}, messages: math.MaxInt, time: searchTime}
	if deadline, ok := ctx.Deadline(); ok { // half of what is left, as there are two to search
		w.time = min(w.time, max((time.Until(deadline)-spareTime)/2, 0))
	}
	return w
}

// findLetter finds the latest dead letter of a delivery, and when its event was published. It has no id if there is none; all
// tells whether all was looked at.
func (h *History) findLetter(ctx context.Context, r events.DeliveryRequest) (found events.Delivery, published time.Time, all bool, err error) {
	w := h.searchWalk(ctx, events.StreamDeadLetters)
	w.subjects, w.headersOnly = h.deadSubjects(events.DeliveryFilter{EndpointID: r.EndpointID}), true
	p, err := h.walk(ctx, w, func(m *bus.Message, _ int) (step, error) {
		if id := events.HeaderValue(m.Header, events.HeaderDelivery); id != "" && id != r.ID {
			return goOn, nil
		}
		d, err := h.letter(ctx, m)
		if err != nil {
			return 0, err
		}
		if d.ID == r.ID {
			found, published = d, headerTime(m, events.HeaderPublishedAt)
		}
		return goOn, nil
	})
	return found, published, p.done, err
}

// findAttempts finds the records of a delivery, the oldest first.
func (h *History) findAttempts(ctx context.Context, r events.DeliveryRequest, since time.Time) (found []events.DeliveryAttempt, all bool, err error) {
	w := h.searchWalk(ctx, events.StreamAttempts)
	w.subjects, w.since = []string{h.subjects.Attempts(orAll(r.EndpointID))}, since
	plain := events.CheckEndpointID(r.ID) == nil // it stands in JSON as it is, so that most messages need not be decoded
	p, err := h.walk(ctx, w, func(m *bus.Message, _ int) (step, error) {
		if plain && !bytes.Contains(m.Body, []byte(r.ID)) {
			return goOn, nil
		}
		var batch []events.DeliveryAttempt
		if json.Unmarshal(m.Body, &batch) != nil {
			return goOn, nil //nolint:nilerr // the dispatcher has not written it
		}
		_, endpointID := cutLast(m.Subject)
		for _, a := range batch {
			if a.DeliveryID == r.ID {
				a.EndpointID = endpointID
				found = append(found, a)
			}
		}
		if len(found) > 2*maxAttempts {
			found = slices.Clone(found[len(found)-maxAttempts:])
		}
		return goOn, nil
	})
	slices.SortStableFunc(found, func(a, b events.DeliveryAttempt) int { return a.At.Compare(b.At) })
	return found[max(len(found)-maxAttempts, 0):], p.done, err
}

// lastState is the delivery at its last attempt, or as it was given up if that came later.
func lastState(dead events.Delivery, found []events.DeliveryAttempt) events.Delivery {
	if len(found) == 0 {
		return dead
	}
	last := found[len(found)-1]
	if dead.ID == "" || last.Outcome != events.AttemptDead && last.At.After(dead.At) { // it was replayed since
		return events.Delivery{
			ID: last.DeliveryID, EndpointID: last.EndpointID, EventID: last.EventID, EventType: last.EventType,
			Status: last.Outcome, Attempt: last.Attempt, At: last.At, HTTPStatus: last.Status,
			Error: last.Error, ErrorClass: last.ErrorClass, NextAt: last.NextAt, Fault: last.Fault,
		}
	}
	dead.HTTPStatus, dead.ErrorClass = last.Status, last.ErrorClass
	return dead
}

// deadEvent returns the event that a dead letter holds, or nil if it cannot be read, or is gone since.
func (h *History) deadEvent(ctx context.Context, seq uint64) (json.RawMessage, error) {
	m, err := h.streams.StoredMessage(ctx, h.stream(events.StreamDeadLetters), seq)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ev, err := h.eventOf(m)
	if err != nil {
		return nil, nil //nolint:nilerr // why it is a dead letter
	}
	text, err := ev.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("writing the event of a dead letter as JSON: %w", err)
	}
	return text, nil
}

// latest returns the latest attempts that fit into so many bytes, the oldest first.
func latest(found []events.DeliveryAttempt, room int) ([]events.DeliveryAttempt, error) {
	first := len(found)
	for ; first > 0; first-- {
		text, err := json.Marshal(found[first-1])
		if err != nil {
			return nil, fmt.Errorf("writing an attempt as JSON: %w", err)
		}
		if room -= len(text) + 1; room < 0 {
			break
		}
	}
	return append([]events.DeliveryAttempt{}, found[first:]...), nil
}
