package journey

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// assemble puts together what was found.
func (f *finder) assemble() *Journey {
	j := &Journey{Query: f.query, Is: slices.Sorted(maps.Keys(f.is)), Traces: f.links()}
	deliveries := f.assembleDeliveries()
	for _, key := range slices.Sorted(maps.Keys(f.requests)) {
		j.Requests = append(j.Requests, f.requests[key])
	}
	f.buryRequests(j)
	for _, r := range j.Requests {
		f.judgeRequest(r)
	}
	slices.SortStableFunc(j.Requests, byTime(func(r *Request) time.Time { return r.begun() }, func(r *Request) uint64 { return r.Sequence }))
	for _, s := range f.sightings {
		j.Sightings = append(j.Sightings, s)
	}
	slices.SortFunc(j.Sightings, byTime(func(s *Sighting) time.Time { return s.At }, func(s *Sighting) uint64 { return s.Sequence }))
	f.placeEvents(j, deliveries)
	placeDeliveries(j, deliveries, f.events)
	j.Begun = begun(j)
	j.Ended = ended(j)
	j.Notes = f.notes(j)
	for _, s := range f.shelves {
		j.Searched = append(j.Searched, s.Search)
	}
	return j
}

// buryRequests puts dead letters to the requests and events that they were.
func (f *finder) buryRequests(j *Journey) {
	slices.SortFunc(f.dead, func(a, b *deadLetter) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for _, d := range f.dead {
		switch d.stream {
		case events.StreamEvents:
			j.DeadEvents = append(j.DeadEvents, &d.DeadLetter)
		case events.StreamRequests:
			i := slices.IndexFunc(j.Requests, func(r *Request) bool { return r.ID == d.request && r.Caller == d.caller })
			if i < 0 {
				j.Requests = append(j.Requests, &Request{ID: d.request, Caller: d.caller})
				i = len(j.Requests) - 1
			}
			r := j.Requests[i]
			r.Kind, r.TraceID = d.kind, cmp.Or(r.TraceID, d.trace)
			r.DeadLetters = append(r.DeadLetters, &d.DeadLetter)
		}
	}
}

// judgeRequest says what became of a request.
func (f *finder) judgeRequest(r *Request) {
	slices.SortFunc(r.Results, func(a, b *Result) int { return cmp.Compare(a.Sequence, b.Sequence) })
	var last *Result
	if n := len(r.Results); n > 0 {
		last = r.Results[n-1]
	}
	sequence, queued := f.queued[r.Caller+"/"+r.ID]
	if queued && last != nil && (last.forSequence == sequence || last.At.After(r.At) && last.forSequence == 0) {
		queued = false // it is about to be taken away
	}
	switch {
	case queued:
		f.judgeQueued(r, sequence)
	case last != nil && last.Code != "":
		r.State = StateFailed
	case last != nil:
		r.State = StateAnswered
	case len(r.DeadLetters) > 0:
		r.State = StateDead
	default:
		r.State = StateUnknown
	}
}

// judgeQueued says how it is with a request that is not answered.
func (f *finder) judgeQueued(r *Request, sequence uint64) {
	r.State = StateWaiting
	for _, c := range events.Consumers() {
		state, known := f.states[c.Name]
		if !known || c.Stream != events.StreamRequests || !slices.Contains(c.Filters, "requests."+r.Kind) {
			continue
		}
		if state.Delivered >= sequence {
			r.State = StateInWork
		} else {
			r.Before = min(state.Pending, sequence-state.Delivered) - 1
		}
	}
}

// assembleDeliveries puts together attempts, what waits, and what was given up.
func (f *finder) assembleDeliveries() map[string]*Delivery {
	all := make(map[string]*Delivery)
	of := func(id, endpoint, eventID, eventType string) *Delivery {
		d := all[id]
		if d == nil {
			d = &Delivery{ID: id, EndpointID: endpoint}
			all[id] = d
		}
		d.EventID, d.EventType = cmp.Or(d.EventID, eventID), cmp.Or(d.EventType, eventType)
		return d
	}
	for _, key := range slices.Sorted(maps.Keys(f.attempts)) {
		a := f.attempts[key]
		d := of(a.DeliveryID, a.EndpointID, a.EventID, a.EventType)
		d.Attempts = append(d.Attempts, a)
	}
	for _, letter := range f.dead {
		if letter.stream == events.StreamDeliveries {
			d := of(letter.delivery, letter.endpoint, letter.eventID, letter.eventType)
			d.DeadLetters = append(d.DeadLetters, &letter.DeadLetter)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.waiting)) {
		q := f.waiting[key]
		d := of(q.delivery, q.endpoint, q.eventID, q.eventType)
		d.Queued = append(d.Queued, &q.Queued)
	}
	for _, d := range all {
		slices.SortStableFunc(d.Attempts, func(a, b events.DeliveryAttempt) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Attempt, b.Attempt))
		})
		slices.SortFunc(d.DeadLetters, func(a, b *DeadLetter) int { return cmp.Compare(a.Sequence, b.Sequence) })
		d.Queued = slices.DeleteFunc(d.Queued, func(q *Queued) bool { return d.overtook(q) })
		slices.SortFunc(d.Queued, func(a, b *Queued) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Sequence, b.Sequence)) })
		d.State = d.judge(f.o.Now)
	}
	return all
}

// overtook reports whether what lay in a queue when that was looked into is done by now.
func (d *Delivery) overtook(q *Queued) bool {
	done := func(a events.DeliveryAttempt) bool {
		return a.Attempt >= q.Attempt && a.ReplayID == q.ReplayID && !a.At.Before(q.At)
	}
	buried := func(l *DeadLetter) bool { return !l.At.Before(q.At) && q.Due.Before(l.At) }
	return slices.ContainsFunc(d.Attempts, done) || slices.ContainsFunc(d.DeadLetters, buried)
}

// late is how long after its time an attempt may be on record without anybody's having to wonder.
const late = time.Minute

// judge says what became of a delivery.
func (d *Delivery) judge(now time.Time) string {
	var last events.DeliveryAttempt
	if n := len(d.Attempts); n > 0 {
		last = d.Attempts[n-1]
	}
	dead := time.Time{}
	if n := len(d.DeadLetters); n > 0 {
		dead = d.DeadLetters[n-1].At
	}
	switch {
	case len(d.Queued) > 0 && last.Outcome == events.AttemptRetry:
		return StateRetry
	case len(d.Queued) > 0:
		return StateWaiting
	case dead.After(last.At), last.Outcome == events.AttemptDead:
		return StateDead
	case last.Outcome == events.AttemptDelivered:
		return StateDelivered
	case last.Outcome == events.AttemptRetry && now.Before(last.NextAt.Add(late)):
		return StateRetry
	default:
		return StateUnknown
	}
}
