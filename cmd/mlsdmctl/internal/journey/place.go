package journey

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// placeEvents puts every event where it belongs: to the request that caused it, to the delivery that it tells of, or to the top.
func (f *finder) placeEvents(j *Journey, deliveries map[string]*Delivery) {
	all := slices.SortedFunc(maps.Values(f.events), byTime(func(e *Event) time.Time { return e.At }, func(e *Event) uint64 { return e.Sequence }))
	router, routing := f.states[events.ConsumerRouter]
	for _, e := range all {
		if routing {
			routed := e.Sequence <= router.Settled
			e.Routed = &routed
		}
		if d := deliveries[e.tells.DeliveryID]; d != nil && e.tells.DeliveryID != "" && d.EventID != e.ID {
			d.Events = append(d.Events, e)
			continue
		}
		if r := causeOf(j.Requests, e); r != nil {
			r.Events = append(r.Events, e)
			if e.tells.RequestID == r.ID {
				r.Kind = cmp.Or(r.Kind, e.tells.Kind)
			}
			continue
		}
		j.Events = append(j.Events, e)
	}
}

// causeOf is the request of which an event came; nil when there is none.
func causeOf(requests []*Request, e *Event) *Request {
	for _, r := range requests {
		if e.tells.RequestID == r.ID && (e.tells.Caller == "" || e.tells.Caller == r.Caller) && e.tells.Door != events.DoorInteractive {
			return r
		}
	}
	for _, r := range requests {
		if e.TraceID != "" && e.TraceID == r.TraceID && !r.At.IsZero() && !e.At.Before(r.At) && e.tells.RequestID == "" {
			return r
		}
	}
	return nil
}

// placeDeliveries puts every delivery to its event.
func placeDeliveries(j *Journey, deliveries map[string]*Delivery, stored map[eventKey]*Event) {
	all := slices.SortedFunc(maps.Values(deliveries), func(a, b *Delivery) int {
		return cmp.Or(a.begun().Compare(b.begun()), cmp.Compare(a.EndpointID, b.EndpointID), cmp.Compare(a.ID, b.ID))
	})
	byID := make(map[string]*Event)
	for _, e := range slices.SortedFunc(maps.Values(stored), func(a, b *Event) int { return cmp.Compare(b.Sequence, a.Sequence) }) {
		byID[e.ID] = e
		byID[e.ID+" "+e.Type] = e // of several events with one id, the first of the type
	}
	for _, d := range all {
		switch e := byID[d.EventID+" "+d.EventType]; {
		case e != nil:
			e.Deliveries = append(e.Deliveries, d)
		case byID[d.EventID] != nil:
			byID[d.EventID].Deliveries = append(byID[d.EventID].Deliveries, d)
		default:
			j.Deliveries = append(j.Deliveries, d)
		}
	}
}

// begun is the earliest that is known of a request.
func (r *Request) begun() time.Time {
	at := r.At
	for _, result := range r.Results {
		at = earlier(at, result.At)
	}
	for _, d := range r.DeadLetters {
		at = earlier(at, d.At)
	}
	return at
}

// begun is the earliest that is known of a delivery.
func (d *Delivery) begun() time.Time {
	var at time.Time
	for _, a := range d.Attempts {
		at = earlier(at, a.At)
	}
	for _, q := range d.Queued {
		at = earlier(at, q.At)
	}
	for _, l := range d.DeadLetters {
		at = earlier(at, l.At)
	}
	return at
}

// begun is the earliest of all.
func begun(j *Journey) time.Time {
	var at time.Time
	for _, r := range j.Requests {
		at = earlier(at, r.begun())
		for _, e := range r.Events {
			at = earlier(at, e.At)
		}
	}
	for _, e := range j.Events {
		at = earlier(at, e.At)
	}
	for _, d := range j.Deliveries {
		at = earlier(at, d.begun())
	}
	for _, s := range j.Sightings {
		at = earlier(at, s.At)
	}
	for _, d := range j.DeadEvents {
		at = earlier(at, d.At)
	}
	return at
}

// earlier is the earlier of two times of which none may be known.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// ended reports whether nothing more is to be expected.
func ended(j *Journey) bool {
	for _, r := range j.Requests {
		if r.State == StateWaiting || r.State == StateInWork || slices.ContainsFunc(r.Events, (*Event).open) {
			return false
		}
	}
	return len(j.Sightings) == 0 && !slices.ContainsFunc(j.Events, (*Event).open) && !slices.ContainsFunc(j.Deliveries, (*Delivery).open)
}

// open reports whether something more is to be expected of an event.
func (e *Event) open() bool {
	return e.Routed != nil && !*e.Routed || slices.ContainsFunc(e.Deliveries, (*Delivery).open)
}

// open reports whether something more is to be expected of a delivery.
func (d *Delivery) open() bool {
	return len(d.Queued) > 0 || d.State == StateRetry || slices.ContainsFunc(d.Events, (*Event).open)
}

// notes say what a person should know about what was found.
func (f *finder) notes(j *Journey) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if len(j.Is) > 1 {
		note("%s is the id of several things: %s; all are shown", j.Query, strings.Join(j.Is, ", "))
	}
	var callers []string
	for _, r := range j.Requests {
		if r.ID == j.Query {
			callers = append(callers, r.Caller)
		}
	}
	if len(callers) > 1 {
		note("%d callers have a request %s: %s; all are shown", len(callers), j.Query, strings.Join(callers, ", "))
	}
	sources := make(map[string]map[string]bool)
	for _, e := range f.events {
		if sources[e.ID] == nil {
			sources[e.ID] = make(map[string]bool)
		}
		sources[e.ID][e.Source] = true
	}
	for _, id := range slices.Sorted(maps.Keys(sources)) {
		if n := len(sources[id]); n > 1 {
			note("%d sources have an event %s, and deliveries do not say which is theirs: they are shown with the first of their type", n, id)
		}
	}
	if f.full {
		note("more belongs to it than is shown: it is cut at %s entries and %s ids", thousands(maxRecords), thousands(maxIDs))
	}
	return notes
}
