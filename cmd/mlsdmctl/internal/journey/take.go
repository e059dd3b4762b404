package journey

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// requestOf returns the request of a caller under an id, made anew if it is not known yet.
func (f *finder) requestOf(caller, id string) *Request {
	key := caller + "/" + id
	r := f.requests[key]
	if r == nil && f.room() {
		r = &Request{ID: id, Caller: caller}
		f.requests[key] = r
	}
	return r
}

// takeRequest takes a request that waits or is worked on.
func (f *finder) takeRequest(m *bus.Message) {
	id := events.HeaderValue(m.Header, events.HeaderRequestID)
	if id == "" {
		id = events.HeaderValue(m.Header, events.HeaderMsgID)
	}
	if id == "" {
		id = strconv.FormatUint(m.Sequence, 10)
	}
	trace := traceOf(m.Header)
	if !f.belongs(id, trace) {
		return
	}
	r := f.requestOf(f.bus.Subjects().Caller(m.Subject), id)
	if r == nil {
		return
	}
	f.learn(id)
	f.trace(trace)
	f.meant(IsRequest, id)
	f.queued[r.Caller+"/"+r.ID] = m.Sequence
	r.Kind, r.TraceID, r.At, r.Sequence, r.Bytes = lastToken(m.Subject), trace, m.Time, m.Sequence, len(m.Body)
	if deadline, ok, err := events.Deadline(m.Header, m.Time); err == nil && ok {
		r.Deadline = deadline
	}
}

// takeResult takes a result.
func (f *finder) takeResult(m *bus.Message) {
	subject, id := cutLast(m.Subject)
	_, caller := cutLast(subject)
	trace := traceOf(m.Header)
	if !f.belongs(id, trace) {
		return
	}
	r := f.requestOf(caller, id)
	if r == nil {
		return
	}
	for _, known := range r.Results {
		if known.Sequence == m.Sequence {
			return
		}
	}
	f.learn(id)
	f.trace(trace)
	f.meant(IsRequest, id)
	result := &Result{At: m.Time, Sequence: m.Sequence, Bytes: size(m)}
	if failure := events.DecodeError(m.Header, m.Body); failure != nil {
		coded := events.AsError(failure)
		result.Code, result.Error = coded.Code, coded.Message
	}
	if ttl := ttlOf(events.HeaderValue(m.Header, events.HeaderMsgTTL)); ttl > 0 {
		result.KeptUntil = m.Time.Add(ttl)
	}
	result.forSequence, result.forTime = originOf(m.Header)
	r.Results = append(r.Results, result)
	if r.TraceID == "" {
		r.TraceID = trace
	}
	if r.At.IsZero() {
		r.At, r.Sequence = result.forTime, result.forSequence
	}
}

// originOf reads for which request a result is: its sequence, and when it was stored.
func originOf(header map[string][]string) (uint64, time.Time) {
	sequence, stored, ok := strings.Cut(events.HeaderValue(header, events.HeaderRequestOrigin), "-")
	seq, errSeq := strconv.ParseUint(sequence, 10, 64)
	nanos, errTime := strconv.ParseInt(stored, 10, 64)
	if !ok || errSeq != nil || errTime != nil {
		return 0, time.Time{}
	}
	return seq, time.Unix(0, nanos).UTC()
}

// ttlOf reads the life of a message: a duration, or seconds; 0 when there is none.
func ttlOf(text string) time.Duration {
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// headerSize is what the server adds to a message whose body it leaves out.
const headerSize = "Nats-Msg-Size"

// size is that of a message's body, which may have been left out.
func size(m *bus.Message) int {
	if n, err := strconv.Atoi(events.HeaderValue(m.Header, headerSize)); err == nil && len(m.Body) == 0 {
		return n
	}
	return len(m.Body)
}

// deadLetter is one with what it says of where it belongs.
type deadLetter struct {
	DeadLetter

	stream, kind              string // whence, and what of it
	caller, request           string
	delivery, endpoint        string
	eventID, eventType, trace string
}

// takeDead takes what was given up.
func (f *finder) takeDead(m *bus.Message) {
	value := func(name string) string { return events.HeaderValue(m.Header, name) }
	d := &deadLetter{
		DeadLetter: DeadLetter{At: m.Time, Sequence: m.Sequence, Reason: value(events.HeaderDeadReason), Code: events.Code(value(events.HeaderDeadCode))},
		trace:      traceOf(m.Header),
	}
	for _, name := range []string{events.HeaderAttempt, events.HeaderDeadAttempts} {
		if n, err := strconv.Atoi(value(name)); err == nil && n > 0 {
			d.Attempts = n
			break
		}
	}
	var about []string
	rest := strings.TrimPrefix(m.Subject, f.bus.Subjects().Below("deadletters."))
	switch kind, tail, _ := strings.Cut(rest, "."); kind {
	case "requests":
		d.stream, d.kind, d.caller = events.StreamRequests, tail, f.bus.Subjects().Caller(value(events.HeaderDeadSubject))
		for _, id := range []string{value(events.HeaderRequestID), value(events.HeaderDeadMsgID), value(events.HeaderDeadSequence)} {
			if d.request == "" {
				d.request = id
			}
		}
		about = []string{d.request}
	case "deliveries":
		d.stream = events.StreamDeliveries
		d.Fault, d.endpoint, _ = strings.Cut(tail, ".")
		d.delivery, d.eventID, d.eventType = value(events.HeaderDelivery), value(events.HeaderEventID), value(events.HeaderEventType)
		about = []string{d.delivery, d.eventID}
	default:
		d.stream, d.eventID = events.StreamEvents, value(events.HeaderDeadMsgID)
		about = []string{d.eventID}
	}
	if !f.belongs(append(about, d.trace)...) || f.hasDead(m.Sequence) || !f.room() {
		return
	}
	f.dead = append(f.dead, d)
	f.learn(about...)
	f.trace(d.trace)
	f.meant(IsRequest, d.request)
	f.meant(IsDelivery, d.delivery)
	f.meant(IsEvent, d.eventID)
}

// hasDead reports whether a dead letter is known already.
func (f *finder) hasDead(sequence uint64) bool {
	for _, d := range f.dead {
		if d.Sequence == sequence {
			return true
		}
	}
	return false
}

// takeSighting takes a CI run that is to be counted.
func (f *finder) takeSighting(m *bus.Message) {
	id, trace := events.HeaderValue(m.Header, events.HeaderMsgID), traceOf(m.Header)
	var told struct {
		Repository string `json:"repository"`
		Run        struct {
			ID int64 `json:"id"`
		} `json:"run"`
	}
	if !f.belongs(id, trace) || json.Unmarshal(m.Body, &told) != nil || !f.room() {
		return
	}
	f.trace(trace)
	f.sightings[m.Sequence] = &Sighting{At: m.Time, Sequence: m.Sequence, Repository: told.Repository, RunID: told.Run.ID, TraceID: trace}
}

// cutLast cuts the last token off a subject.
func cutLast(subject string) (rest, last string) {
	at := strings.LastIndexByte(subject, '.')
	return subject[:max(at, 0)], subject[at+1:]
}

// lastToken is the last token of a subject.
func lastToken(subject string) string {
	_, last := cutLast(subject)
	return last
}
