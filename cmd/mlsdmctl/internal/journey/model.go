package journey

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What an id can be.
const (
	IsRequest  = "request"
	IsEvent    = "event"
	IsDelivery = "delivery"
	IsTrace    = "trace"
	IsSubject  = "subject" // what events are about
)

// States of requests and deliveries.
const (
	StateWaiting   = "waiting"   // nobody has it in hand
	StateInWork    = "in_work"   // it was handed out, and is not settled
	StateAnswered  = "answered"  // a request: there is a result
	StateFailed    = "failed"    // a request: the result is an error
	StateDelivered = "delivered" // a delivery
	StateRetry     = "retry"     // a delivery: it failed, and is tried again
	StateDead      = "dead"      // it was given up
	StateUnknown   = "unknown"   // it has gone from where it waited, and what came of it is not on record (any more)
)

// Journey is all that was found.
type Journey struct {
	// Query is what was searched for, and Is what it is: several of the Is constants when it is ambiguous.
	Query string   `json:"query"`
	Is    []string `json:"is"`
	// Traces are the ids of the traces that it belongs to.
	Traces []Trace `json:"traces,omitempty"`
	// Begun is the time of the earliest thing.
	Begun time.Time `json:"begun,omitzero"`
	// Ended says that nothing more is to be expected.
	Ended bool `json:"ended"`
	// Requests are durable requests, with the events that came of them.
	Requests []*Request `json:"requests,omitempty"`
	// Sightings are CI runs that were told of and are not counted yet.
	Sightings []*Sighting `json:"sightings,omitempty"`
	// Events are those that none of the requests caused.
	Events []*Event `json:"events,omitempty"`
	// Deliveries are those whose event was not found.
	Deliveries []*Delivery `json:"deliveries,omitempty"`
	// DeadEvents are events that could not be read, and were given up.
	DeadEvents []*DeadLetter `json:"dead_events,omitempty"`
	// Notes say what a person should know about all this.
	Notes []string `json:"notes,omitempty"`
	// Searched says what was looked at.
	Searched []Search `json:"searched"`
}

// Empty reports whether nothing was found.
func (j *Journey) Empty() bool {
	return len(j.Requests)+len(j.Events)+len(j.Deliveries)+len(j.Sightings)+len(j.DeadEvents) == 0
}

// Trace is a trace id, and where it is shown.
type Trace struct {
	ID  string `json:"trace_id"`
	URL string `json:"url,omitempty"`
}

// Request is a durable request.
type Request struct {
	ID     string `json:"request_id"`
	Caller string `json:"caller"`
	// Kind is empty when only the result is left.
	Kind    string `json:"kind,omitempty"`
	TraceID string `json:"trace_id,omitempty"`
	// At is when it was stored, under Sequence; zero when that is not known any more.
	At       time.Time `json:"at,omitzero"`
	Sequence uint64    `json:"sequence,omitempty"`
	State    string    `json:"state"`
	// Before is how many requests are handed out before it, of one that waits.
	Before uint64 `json:"before,omitempty"`
	// Bytes is the size of its body, while it waits or is worked on.
	Bytes int `json:"bytes,omitempty"`
	// Deadline is when the caller does not want the answer any more.
	Deadline    time.Time     `json:"deadline,omitzero"`
	Results     []*Result     `json:"results,omitempty"`
	DeadLetters []*DeadLetter `json:"dead_letters,omitempty"`
	Events      []*Event      `json:"events,omitempty"`
}

// Result is the reply of a durable request.
type Result struct {
	At       time.Time `json:"at"`
	Sequence uint64    `json:"sequence"`
	Bytes    int       `json:"bytes"`
	// KeptUntil is when it is forgotten.
	KeptUntil time.Time   `json:"kept_until,omitzero"`
	Code      events.Code `json:"code,omitempty"`
	Error     string      `json:"error,omitempty"`

	forSequence uint64    // of the request
	forTime     time.Time // when that was stored
}

// DeadLetter is what was given up.
type DeadLetter struct {
	At       time.Time   `json:"at"`
	Sequence uint64      `json:"sequence"`
	Reason   string      `json:"reason,omitempty"`
	Code     events.Code `json:"code,omitempty"`
	Fault    string      `json:"fault,omitempty"`
	Attempts int         `json:"attempts,omitempty"`
}

// Event is an event, with what came of it.
type Event struct {
	ID      string `json:"id"`
	Source  string `json:"source"`
	Type    string `json:"type"`
	Subject string `json:"subject,omitempty"`
	TraceID string `json:"trace_id,omitempty"`
	// At is when it was stored, under Sequence; Time what it says itself.
	At       time.Time `json:"at"`
	Time     time.Time `json:"time,omitzero"`
	Sequence uint64    `json:"sequence"`
	// About says in a line what it tells.
	About string `json:"about,omitempty"`
	// Routed says that the dispatcher has seen it, nil that this is not known.
	Routed     *bool       `json:"routed,omitempty"`
	Origin     *Origin     `json:"origin,omitempty"`
	Deliveries []*Delivery `json:"deliveries,omitempty"`

	tells tells
}

// Origin is the CI run that an event tells of, in the words of the forge.
type Origin struct {
	Forge       string    `json:"forge,omitempty"`
	Repository  string    `json:"repository"`
	Workflow    string    `json:"workflow"`
	Branch      string    `json:"branch,omitempty"`
	RunID       int64     `json:"run_id"`
	RunAttempt  int       `json:"run_attempt,omitempty"`
	Conclusion  string    `json:"conclusion,omitempty"`
	URL         string    `json:"url,omitempty"`
	StartedAt   time.Time `json:"started_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
}

// Sighting is a CI run that was told of, and waits to be counted.
type Sighting struct {
	At         time.Time `json:"at"`
	Sequence   uint64    `json:"sequence"`
	Repository string    `json:"repository"`
	RunID      int64     `json:"run_id,omitempty"`
	TraceID    string    `json:"trace_id,omitempty"`
}

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	ID         string `json:"delivery_id"`
	EndpointID string `json:"endpoint_id"`
	EventID    string `json:"event_id,omitempty"`
	EventType  string `json:"event_type,omitempty"`
	State      string `json:"state"`
	// Attempts are all that are on record, the oldest first, also those of replays.
	Attempts []events.DeliveryAttempt `json:"attempts,omitempty"`
	// Queued is where it lies now: more than one place while a replay is on its way too.
	Queued      []*Queued     `json:"queued,omitempty"`
	DeadLetters []*DeadLetter `json:"dead_letters,omitempty"`
	// Events tell of it: delivery.failed.
	Events []*Event `json:"events,omitempty"`
}

// Queued is a delivery that is on its way, or waits.
type Queued struct {
	// Attempt is which it will be.
	Attempt int `json:"attempt"`
	// At is when it was stored there, and Due when it is handed out; zero is at once.
	At       time.Time `json:"at"`
	Due      time.Time `json:"due,omitzero"`
	Stream   string    `json:"stream"`
	Sequence uint64    `json:"sequence"`
	ReplayID string    `json:"replay_id,omitempty"`

	trace string
}

// Search says what was looked at.
type Search struct {
	Stream string `json:"stream"`
	// Holds says what is there, and Keeps for how long.
	Holds string `json:"holds"`
	Keeps string `json:"keeps"`
	// From is when the search began; zero is the start.
	From time.Time `json:"from,omitzero"`
	// Messages is how many were looked at.
	Messages int `json:"messages"`
	// Left says why not all was looked at; empty when all was.
	Left string `json:"left,omitempty"`
}
