package journey

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// tone is how a line is meant.
type tone int

const (
	neutral tone = iota
	good
	bad
	pending
)

// node is a line of the tree.
type node struct {
	at     time.Time
	tone   tone
	name   string // what it is
	says   string // and what of it
	detail []string
	below  []*node
}

// add puts nodes below another.
func (n *node) add(below ...*node) { n.below = append(n.below, below...) }

// sort orders what is below a node by time; what has no time comes last.
func (n *node) sort() {
	slices.SortStableFunc(n.below, func(a, b *node) int {
		switch {
		case a.at.IsZero() && b.at.IsZero():
			return 0
		case a.at.IsZero():
			return 1
		case b.at.IsZero():
			return -1
		}
		return a.at.Compare(b.at)
	})
}

// forest makes the lines of a journey.
func forest(j *Journey, now time.Time) []*node {
	root := &node{}
	for _, r := range j.Requests {
		root.add(requestNode(r, now))
	}
	for _, s := range j.Sightings {
		says := s.Repository
		if s.RunID != 0 {
			says += fmt.Sprintf(" run %d", s.RunID)
		}
		root.add(&node{at: s.At, tone: pending, name: "sighting", says: says + ", waits for " + ago(now, s.At) + " to be counted"})
	}
	for _, e := range j.Events {
		root.add(eventNode(e, now))
	}
	for _, d := range j.Deliveries {
		n := deliveryNode(d, now)
		n.detail = append(n.detail, "its event, "+d.EventType+" "+d.EventID+", was not found")
		root.add(n)
	}
	for _, d := range j.DeadEvents {
		root.add(deadNode(d, "event given up"))
	}
	root.sort()
	return root.below
}

// requestNode is a request and all that came of it.
func requestNode(r *Request, now time.Time) *node {
	n := &node{at: r.begun(), name: strings.TrimSpace("request " + r.Kind), says: r.ID + ", asked by " + r.Caller}
	if !r.At.IsZero() {
		n.at = r.At
	}
	switch r.State {
	case StateWaiting:
		n.tone, n.says = pending, n.says+": waits for "+ago(now, r.At)+", not handed out yet"
		if r.Before > 0 {
			n.says += ", " + thousands(int(min(r.Before, 1<<31))) + " before it"
		}
	case StateInWork:
		n.tone, n.says = pending, n.says+": handed out, not answered for "+ago(now, r.At)
	case StateAnswered:
		n.tone, n.says = good, n.says+": answered"
	case StateFailed:
		n.tone, n.says = bad, n.says+": failed"
	case StateDead:
		n.tone, n.says = bad, n.says+": given up"
	default:
		n.says += ": is not in the queue any more, and no result is kept"
	}
	if !r.Deadline.IsZero() && (r.State == StateWaiting || r.State == StateInWork) {
		if r.Deadline.Before(now) {
			n.detail = append(n.detail, "the caller stopped waiting "+ago(now, r.Deadline)+" ago")
		} else {
			n.detail = append(n.detail, "the caller waits for "+ago(r.Deadline, now)+" more")
		}
	}
	for _, result := range r.Results {
		n.add(resultNode(result, now))
	}
	for _, d := range r.DeadLetters {
		n.add(deadNode(d, "given up"))
	}
	for _, e := range r.Events {
		n.add(eventNode(e, now))
	}
	n.sort()
	return n
}

// resultNode is a result.
func resultNode(r *Result, now time.Time) *node {
	n := &node{at: r.At, tone: good, name: "result", says: bytesText(r.Bytes)}
	if r.Code != "" {
		n.tone, n.says = bad, "error "+string(r.Code)+": "+r.Error
	}
	if !r.KeptUntil.IsZero() && r.KeptUntil.After(now) {
		n.says += ", kept for " + ago(r.KeptUntil, now) + " more"
	}
	return n
}

// deadNode is a dead letter.
func deadNode(d *DeadLetter, name string) *node {
	says := d.Reason
	var about []string
	if d.Code != "" {
		about = append(about, string(d.Code))
	}
	if d.Fault != "" {
		about = append(about, "fault of the "+d.Fault)
	}
	if d.Attempts > 0 {
		about = append(about, "after "+count(d.Attempts, "attempt"))
	}
	about = append(about, fmt.Sprintf("dead letter %d", d.Sequence))
	return &node{at: d.At, tone: bad, name: name, says: strings.TrimSpace(says + " (" + strings.Join(about, ", ") + ")")}
}

// eventNode is an event and its deliveries.
func eventNode(e *Event, now time.Time) *node {
	n := &node{at: e.At, name: "event " + e.Type, says: e.ID}
	if e.About != "" {
		n.says += ": " + e.About
	} else if e.Subject != "" {
		n.says += ": about " + e.Subject
	}
	if o := e.Origin; o != nil && !o.CompletedAt.IsZero() {
		line := "the run"
		if !o.StartedAt.IsZero() {
			line += " took " + length(o.CompletedAt.Sub(o.StartedAt)) + " and"
		}
		n.detail = append(n.detail, strings.TrimSpace(line+" ended "+length(max(e.At.Sub(o.CompletedAt), 0))+" before this  "+o.URL))
	}
	if e.Routed != nil && !*e.Routed && len(e.Deliveries) == 0 {
		n.tone = pending
		n.detail = append(n.detail, "the dispatcher has not seen it yet")
	}
	for _, d := range e.Deliveries {
		n.add(deliveryNode(d, now))
	}
	n.sort()
	return n
}

// deliveryNode is a delivery with its attempts.
func deliveryNode(d *Delivery, now time.Time) *node {
	n := &node{at: d.begun(), name: "delivery to " + d.EndpointID, says: d.ID}
	tries := count(len(d.Attempts), "attempt")
	switch d.State {
	case StateDelivered:
		n.tone, n.says = good, n.says+": delivered, "+tries
	case StateDead:
		n.tone, n.says = bad, n.says+": given up, "+tries
	case StateRetry:
		n.tone, n.says = pending, n.says+": failed "+tries+", and is tried again"
	case StateWaiting:
		n.tone, n.says = pending, n.says+": waits"
	default:
		n.says += ": what came of it is not on record"
	}
	replays := make(map[string]bool)
	for _, a := range d.Attempts {
		n.add(attemptNode(a))
		if a.ReplayID != "" && !replays[a.ReplayID] {
			replays[a.ReplayID] = true
			n.below[len(n.below)-1].detail = append([]string{"replay " + a.ReplayID}, n.below[len(n.below)-1].detail...)
		}
	}
	for _, l := range d.DeadLetters {
		n.add(deadNode(l, "given up"))
	}
	for _, e := range d.Events {
		n.add(eventNode(e, now))
	}
	n.sort()
	for _, q := range d.Queued {
		n.add(queuedNode(q, now))
	}
	return n
}

// attemptNode is an attempt.
func attemptNode(a events.DeliveryAttempt) *node {
	n := &node{at: a.At, name: fmt.Sprintf("attempt %d", a.Attempt), tone: bad}
	status := "no answer"
	if a.Status != 0 {
		status = fmt.Sprintf("HTTP %d", a.Status)
	}
	n.says = status + " in " + millis(a.LatencyMS)
	switch a.Outcome {
	case events.AttemptDelivered:
		n.tone = good
	case events.AttemptDead:
		n.says += ", the last"
	}
	if !a.NextAt.IsZero() {
		n.says += ", next " + signed(a.NextAt.Sub(a.At))
	}
	if a.Error != "" && a.ErrorClass != events.ErrorClassStatus { // a status says it all
		n.detail = append(n.detail, strings.TrimSpace(a.ErrorClass+": "+a.Error))
	}
	if text := strings.Join(strings.Fields(a.Response), " "); text != "" {
		n.detail = append(n.detail, "answered: "+text)
	}
	return n
}

// queuedNode is where a delivery lies.
func queuedNode(q *Queued, now time.Time) *node {
	n := &node{at: q.Due, tone: pending, name: fmt.Sprintf("attempt %d", q.Attempt)}
	switch {
	case q.Due.IsZero():
		n.at = q.At
		n.says = "is due, and waits for a worker for " + ago(now, q.At)
	case q.Due.After(now):
		n.says = "is due in " + ago(q.Due, now)
	default:
		n.says = "was due " + ago(now, q.Due) + " ago, and waits for a worker"
	}
	if q.ReplayID != "" {
		n.detail = []string{"replay " + q.ReplayID}
	}
	return n
}

// bytesText writes a size.
func bytesText(n int) string {
	const kilo = 1000
	switch {
	case n < 10*kilo:
		return count(n, "byte")
	case n < 10*kilo*kilo:
		return fmt.Sprintf("%d kB", n/kilo)
	default:
		return fmt.Sprintf("%d MB", n/kilo/kilo)
	}
}
