package journey

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// shelf is a stream in which is searched.
type shelf struct {
	Search

	stream   string // of the catalogue
	queue    bool   // looked into, not read
	headers  bool   // they are enough
	forbids  string // why it cannot be read
	take     func(f *finder, m *bus.Message)
	ask      bool            // instead of reading it
	searched map[string]bool // ids
}

// allShelves are all streams in which something of a journey can be. What waits comes before what is done: a delivery that is tried in
// between is then seen twice, and not missed.
func (f *finder) allShelves() []*shelf {
	shelves := []*shelf{
		{stream: events.StreamRequests, queue: true, take: (*finder).takeRequest, Search: Search{Holds: "durable requests", Keeps: "until they are answered"}},
		{stream: events.StreamResults, headers: true, take: (*finder).takeResult, Search: Search{Holds: "results", Keeps: "for as long as the request asked, an hour unless it did"}},
		{stream: events.StreamEvents, take: (*finder).takeEvent, Search: Search{Holds: "events"}},
		{stream: events.StreamDeliveries, queue: true, take: (*finder).takeQueued, Search: Search{Holds: "deliveries that are due", Keeps: "until they are made"}},
		{stream: events.StreamWaiting, queue: true, take: (*finder).takeQueued, Search: Search{Holds: "deliveries that wait", Keeps: "until they are made"}},
		{stream: events.StreamAttempts, take: (*finder).takeAttempts, Search: Search{Holds: "delivery attempts"}},
		{stream: events.StreamDeadLetters, headers: true, take: (*finder).takeDead, Search: Search{Holds: "what was given up"}},
		{stream: events.StreamSightings, queue: true, take: (*finder).takeSighting, Search: Search{Holds: "CI runs that are to be counted", Keeps: "until they are"}},
	}
	ages := make(map[string]time.Duration)
	for _, s := range events.Streams() {
		ages[s.Name] = s.MaxAge
	}
	for _, s := range shelves {
		s.Stream, s.searched = f.bus.Subjects().StreamName(s.stream), make(map[string]bool)
		if s.Keeps == "" {
			s.Keeps = "for " + Span(ages[s.stream])
		}
		if !s.queue {
			s.From = f.o.From
		}
		if f.o.Own == "" || s.stream == events.StreamEvents {
			continue
		}
		if s.ask = s.stream == events.StreamAttempts; s.ask {
			s.Holds += " and dead letters of deliveries, as the dispatcher tells"
			continue
		}
		s.forbids = f.o.Own + " may not read it; the administrator may"
	}
	return shelves
}

// errEnough ends a search that has looked at as much as it may.
var errEnough = errors.New("enough")

// search looks for the ids that it has not looked for yet.
func (f *finder) search(ctx context.Context, s *shelf) error {
	if s.forbids != "" {
		s.Left = s.forbids
		return nil
	}
	var fresh [][]byte
	for id := range f.known {
		if !s.searched[id] {
			fresh, s.searched[id] = append(fresh, []byte(id)), true
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	seen := 0
	visit := func(m *bus.Message) (bool, error) {
		if seen == f.o.Limit {
			return false, errEnough
		}
		if seen++; f.o.Progress != nil {
			f.o.Progress(s.Stream, seen)
		}
		if mentions(m, fresh) {
			s.take(f, m)
		}
		return true, nil
	}
	err := f.read(ctx, s, visit)
	s.Messages = max(s.Messages, seen)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errEnough):
		s.Left = "there is more; a later --since, or a greater --limit, reaches it"
	case err != nil:
		s.Left = events.AsError(err).Message
	}
	return nil
}

// ownPatience is how long an application may read a stream. It may not tell the server how fast it reads, which then waits for ever in the
// middle of a long one.
const ownPatience = 30 * time.Second

// errSlow is that it took longer.
var errSlow = errors.New("it takes too long; a later --since is quicker, and the administrator may read faster")

// read has visit look at all messages of a stream, or asks the dispatcher.
func (f *finder) read(ctx context.Context, s *shelf, visit func(*bus.Message) (bool, error)) error {
	scan := bus.ScanConfig{Stream: s.Stream, FromTime: f.o.From, HeadersOnly: s.headers}
	switch {
	case s.ask:
		return f.askDeliveries(ctx, s)
	case s.queue:
		return f.bus.Peek(ctx, bus.PeekConfig{Stream: s.Stream}, visit)
	case f.o.Own != "":
		short, cancel := context.WithTimeout(ctx, ownPatience)
		defer cancel()
		err := f.bus.Scan(short, scan, visit)
		if err != nil && short.Err() != nil && ctx.Err() == nil {
			return errSlow
		}
		return err
	default:
		return f.bus.Scan(ctx, scan, visit)
	}
}

// mentions reports whether a message can have to do with one of some ids.
func mentions(m *bus.Message, ids [][]byte) bool {
	for _, id := range ids {
		if bytes.Contains(m.Body, id) || strings.Contains(m.Subject, string(id)) {
			return true
		}
		for _, values := range m.Header {
			for _, value := range values {
				if strings.Contains(value, string(id)) || strings.Contains(strings.ToLower(value), string(id)) {
					return true
				}
			}
		}
	}
	// An id can be written in other ways: percent-encoded in a header, escaped in JSON. Then only who reads it knows.
	return bytes.IndexByte(m.Body, '\\') >= 0 || escaped(m.Header)
}

// escaped reports whether an attribute of an event in binary form is written in another way.
func escaped(header map[string][]string) bool {
	for name, values := range header {
		if len(name) > 3 && strings.EqualFold(name[:3], events.HeaderCloudEventPrefix) && len(values) > 0 && strings.Contains(values[0], "%") {
			return true
		}
	}
	return false
}

// askConsumers asks how far they are who take what was found. That they do not tell costs what they would have told.
func (f *finder) askConsumers(ctx context.Context) {
	if f.o.Own != "" {
		return
	}
	for _, c := range events.Consumers() {
		if c.Stream != events.StreamRequests && c.Stream != events.StreamEvents {
			continue
		}
		if state, found, err := f.bus.ConsumerState(ctx, f.bus.Subjects().StreamName(c.Stream), c.Name); err == nil && found {
			f.states[c.Name] = state
		}
	}
}

// Span writes a length of time as people say it.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return "ever"
	case d%day == 0 && d > day:
		return count(int(d/day), "day")
	case d%time.Hour == 0:
		return count(int(d/time.Hour), "hour")
	default:
		return d.Round(time.Second).String()
	}
}
