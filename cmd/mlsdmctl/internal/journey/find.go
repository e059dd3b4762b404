package journey

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bus is what a search reads; [bus.Bus] is one.
type Bus interface {
	// Subjects are those of the installation.
	Subjects() events.Subjects
	// Request asks a service.
	Request(ctx context.Context, m bus.Msg) (bus.Reply, error)
	// Scan reads a stream, and Peek a work queue.
	Scan(ctx context.Context, cfg bus.ScanConfig, visit func(*bus.Message) (bool, error)) error
	Peek(ctx context.Context, cfg bus.PeekConfig, visit func(*bus.Message) (bool, error)) error
	// ConsumerState says how far a consumer has come.
	ConsumerState(ctx context.Context, stream, name string) (bus.ConsumerState, bool, error)
}

// Options bound a search.
type Options struct {
	// From leaves out what was stored before; zero is [DefaultBack] before Now, or an hour before the id was made where that tells.
	From time.Time
	// Limit is how many messages of each stream are looked at; 0 is [DefaultLimit].
	Limit int
	// Now is the time.
	Now time.Time
	// Link is the address at which a trace is shown, with {trace_id} in the place of its id; empty is none.
	Link string
	// Own, when it is not empty, is the application that searches: it may read all events, and asks the dispatcher for deliveries.
	Own string
	// Progress is told how many messages of a stream were looked at; nil is nobody.
	Progress func(stream string, messages int)
}

// Bounds of a search.
const (
	DefaultBack  = 24 * time.Hour
	DefaultLimit = 1_000_000

	maxRounds  = 6
	maxIDs     = 512 // that are searched for at a time
	maxRecords = 2000
	margin     = time.Hour // what came before the one thing whose time is known
)

// TraceIDMark stands in a link for the id of the trace.
const TraceIDMark = "{trace_id}"

// Find searches the streams for all that belongs to a query: the id of a request, an event or a delivery, a trace id, or what events are
// about. It returns the error of ctx, and no other: what could not be read is in [Journey.Searched].
func Find(ctx context.Context, b Bus, query string, o Options) (*Journey, error) {
	f := newFinder(b, query, o)
	for range maxRounds {
		before := len(f.known)
		for _, s := range f.shelves {
			if err := f.search(ctx, s); err != nil {
				return nil, err
			}
		}
		if len(f.known) == before {
			break
		}
	}
	f.askConsumers(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return f.assemble(), nil
}

// finder is one search.
type finder struct {
	bus     Bus
	o       Options
	query   string
	shelves []*shelf
	known   map[string]bool // ids
	full    bool            // there are more records or ids than are kept
	is      map[string]bool
	traces  map[string]bool

	requests  map[string]*Request
	queued    map[string]uint64 // by request, its sequence in the queue
	events    map[eventKey]*Event
	dead      []*deadLetter
	attempts  map[string]events.DeliveryAttempt
	waiting   map[string]*queuedDelivery
	sightings map[uint64]*Sighting

	states map[string]bus.ConsumerState // of consumers
}

// eventKey is where an event is stored.
type eventKey struct {
	sequence uint64
	id       string
}

// newFinder prepares a search.
func newFinder(b Bus, query string, o Options) *finder {
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	query = Normalize(query)
	if o.From.IsZero() {
		o.From = o.Now.Add(-DefaultBack)
		if made, ok := madeAt(query); ok && made.Before(o.Now.Add(margin)) {
			o.From = made.Add(-margin)
		}
	}
	f := &finder{
		bus: b, o: o, query: query, known: map[string]bool{query: true}, is: map[string]bool{}, traces: map[string]bool{},
		requests: map[string]*Request{}, queued: map[string]uint64{}, events: map[eventKey]*Event{}, attempts: map[string]events.DeliveryAttempt{},
		waiting: map[string]*queuedDelivery{}, sightings: map[uint64]*Sighting{}, states: map[string]bus.ConsumerState{},
	}
	f.shelves = f.allShelves()
	return f
}

// learn adds ids to those that are searched for.
func (f *finder) learn(ids ...string) {
	for _, id := range ids {
		switch {
		case id == "" || f.known[id]:
		case len(f.known) >= maxIDs:
			f.full = true
		default:
			f.known[id] = true
		}
	}
}

// belongs reports whether one of some ids is searched for.
func (f *finder) belongs(ids ...string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return id != "" && f.known[id] })
}

// meant notes what the query turned out to be.
func (f *finder) meant(is, id string) {
	if id == f.query {
		f.is[is] = true
	}
}

// trace notes a trace that the journey belongs to.
func (f *finder) trace(id string) {
	if id != "" {
		f.traces[id] = true
		f.learn(id)
		f.meant(IsTrace, id)
	}
}

// room reports whether one more record is kept.
func (f *finder) room() bool {
	if len(f.requests)+len(f.events)+len(f.dead)+len(f.attempts)+len(f.waiting)+len(f.sightings) >= maxRecords {
		f.full = true
		return false
	}
	return true
}

// links returns the traces and where they are shown.
func (f *finder) links() []Trace {
	var traces []Trace
	for _, id := range slices.Sorted(maps.Keys(f.traces)) {
		t := Trace{ID: id}
		if f.o.Link != "" {
			t.URL = strings.ReplaceAll(f.o.Link, TraceIDMark, id)
		}
		traces = append(traces, t)
	}
	return traces
}

// CheckLink checks the address of a trace backend.
func CheckLink(link string) error {
	if link != "" && !strings.Contains(link, TraceIDMark) {
		return fmt.Errorf("the address %q has no %s in it; one of Jaeger is http://localhost:16686/trace/%s", link, TraceIDMark, TraceIDMark)
	}
	return nil
}

// byTime orders what happened.
func byTime[T any](at func(T) time.Time, sequence func(T) uint64) func(a, b T) int {
	return func(a, b T) int { return cmp.Or(at(a).Compare(at(b)), cmp.Compare(sequence(a), sequence(b))) }
}
