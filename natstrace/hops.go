package natstrace

import (
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Bounds of what is remembered.
const (
	maxHeld   = 1024
	maxLinks  = 4096
	maxRecent = 4096
)

// held is an event that waits for what the server before says.
type held struct {
	event  *event
	parent trace.SpanContext
	until  time.Time
}

// place starts the spans of an event, or has it wait.
func (b *Bridge) place(e *event, parent trace.SpanContext) {
	now := time.Now()
	b.release(now)
	if hop := e.hop(); hop != "" {
		above, known := b.hops.take(e.message(), hop)
		switch {
		case known:
			parent = above
		case !b.closed && len(b.held) < maxHeld:
			b.held = append(b.held, held{e, parent, now.Add(b.patience)})
			b.wake()
			return
		default:
			b.counts.Orphans++
		}
	}
	b.start(e, parent)
}

// start starts the spans of an event, and of those that waited for it.
func (b *Bridge) start(e *event, parent trace.SpanContext) {
	b.counts.Spans++
	below := b.spans(e, parent)
	for hop, span := range below {
		b.hops.put(e.message(), hop, span)
	}
	if len(below) == 0 {
		return
	}
	for i := 0; i < len(b.held); i++ {
		h := b.held[i]
		if h.event.message() != e.message() {
			continue
		}
		if above, known := b.hops.take(h.event.message(), h.event.hop()); known {
			b.held = append(b.held[:i:i], b.held[i+1:]...)
			b.start(h.event, above)
			i = -1 // that may have brought others, and moved them
		}
	}
}

// release starts, under their publishers, the spans that have waited until now; the zero time is for all of them.
func (b *Bridge) release(now time.Time) {
	for len(b.held) > 0 && (now.IsZero() || !b.held[0].until.After(now)) {
		h := b.held[0]
		b.held = b.held[1:]
		b.counts.Orphans++
		b.start(h.event, h.parent)
	}
	b.hops.forget(now)
}

// wake has release called when the first that waits has waited long enough.
func (b *Bridge) wake() {
	if b.timer != nil {
		return
	}
	b.timer = time.AfterFunc(b.patience, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.timer = nil
		b.release(time.Now())
		if len(b.held) > 0 && !b.closed {
			b.wake()
		}
	})
}

// hops are the spans of messages that were sent to other servers, which have something to say about them too.
type hops struct {
	links map[link][]trace.SpanContext
	order []age // as they came
}

// link is the way from a server to the next.
type link struct{ message, hop string }

// age is when a link came.
type age struct {
	link  link
	span  trace.SpanID
	since time.Time
}

// linkLife is how long the next server has to say something.
const linkLife = time.Minute

// put remembers a span.
func (h *hops) put(message, hop string, span trace.SpanContext) {
	if len(h.order) >= maxLinks {
		h.drop()
	}
	if h.links == nil {
		h.links = make(map[link][]trace.SpanContext)
	}
	l := link{message, hop}
	h.links[l] = append(h.links[l], span)
	h.order = append(h.order, age{l, span.SpanID(), time.Now()})
}

// take returns the oldest span of a link, and forgets it.
func (h *hops) take(message, hop string) (trace.SpanContext, bool) {
	l := link{message, hop}
	spans := h.links[l]
	if len(spans) == 0 {
		return trace.SpanContext{}, false
	}
	h.remove(l)
	return spans[0], true
}

// remove forgets the oldest span of a link.
func (h *hops) remove(l link) {
	if spans := h.links[l]; len(spans) > 1 {
		h.links[l] = spans[1:]
		return
	}
	delete(h.links, l)
}

// drop forgets the oldest link, if it was not taken.
func (h *hops) drop() {
	oldest := h.order[0]
	h.order = h.order[1:]
	if spans := h.links[oldest.link]; len(spans) > 0 && spans[0].SpanID() == oldest.span {
		h.remove(oldest.link)
	}
}

// forget drops what is too old.
func (h *hops) forget(now time.Time) {
	for len(h.order) > 0 && now.Sub(h.order[0].since) > linkLife {
		h.drop()
	}
}

// recent knows the last events.
type recent struct {
	known map[identity]bool
	ring  []identity
	next  int
}

// identity is what tells an event from others: the server, the connection, when the message came in, and which it was.
type identity struct {
	server, message, subject string
	connection               uint64
	time                     int64
}

// add reports whether an event is new.
func (r *recent) add(e *event) bool {
	in := e.ingress()
	id := identity{e.Server.ID, e.message(), in.Subject, in.CID, in.Time.UnixNano()}
	if r.known[id] {
		return false
	}
	if r.known == nil {
		r.known = make(map[identity]bool)
	}
	if len(r.ring) < maxRecent {
		r.ring = append(r.ring, id)
	} else {
		delete(r.known, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % maxRecent
	}
	r.known[id] = true
	return true
}
