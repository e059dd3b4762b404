package history

import (
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
)

// Bounds of a page that is replayed.
const (
	defaultReplay = 500     // deliveries, without a wish
	pageBytes     = 8 << 20 // of their bodies
)

// Replay makes a page of dead letters, or of events, deliveries again. They are stored when it returns without an error; a page
// that is asked for again with the same replay id, within the deduplication window of the deliveries stream, adds none. A dry
// run counts, and has pages of as many as there is time for unless a limit is set. Errors are an [events.Error].
//
// What cannot be delivered is skipped: its endpoint is gone or disabled, or it cannot be read; a dry run does not read. If
// nothing can be delivered to the endpoint that the request names, that is an error.
func (h *History) Replay(ctx context.Context, r events.ReplayRequest) (events.ReplayReply, error) {
	if err := h.checkReplay(r); err != nil {
		return events.ReplayReply{}, err
	}
	page := &page{h: h, r: r, limit: r.Limit, refused: make(map[string]bool)}
	if page.limit == 0 {
		page.limit = defaultReplay
		if r.DryRun {
			page.limit = math.MaxInt
		}
	}
	w := walk{since: r.Since, until: r.Until, messages: pageMessages, time: pageTime}
	stream, visit := events.StreamDeadLetters, page.addLetter
	w.subjects, w.headersOnly = h.deadSubjects(r.DeliveryFilter), r.DryRun || r.DeliveryID != "" || r.EventID != ""
	if r.From == events.ReplayEvents {
		stream, visit = events.StreamEvents, page.addEvent
		types := r.EventType
		if types == "" {
			types = anyTail
		}
		w.subjects, w.headersOnly = []string{h.subjects.Event(types)}, r.DryRun && r.EventID == ""
	}
	var err error
	if w.at, err = parseCursor(r.Cursor, stream); err != nil {
		return events.ReplayReply{}, err
	}
	p, err := h.walk(ctx, w, func(m *bus.Message, _ int) (step, error) { return visit(ctx, m) })
	if err != nil {
		return events.ReplayReply{}, err
	}
	if len(page.msgs) > 0 {
		if err := h.streams.PublishAll(ctx, page.msgs); err != nil {
			failure := *events.AsError(err)
			failure.Message = "the page was not stored whole; ask for it again, with the same replay_id and cursor: " + failure.Message
			return events.ReplayReply{}, &failure
		}
	}
	page.reply.Replayed = len(page.msgs)
	page.reply.Scanned, page.reply.Cursor, page.reply.Done = p.scanned, p.cursor, p.done
	return page.reply, nil
}

// checkReplay checks a request.
func (h *History) checkReplay(r events.ReplayRequest) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := checkPattern(r.EventType); err != nil {
		return err
	}
	if r.EventID != "" {
		if err := events.CheckID("event_id", r.EventID); err != nil {
			return err
		}
	}
	if r.DeliveryID != "" {
		if err := events.CheckToken("delivery_id", r.DeliveryID); err != nil {
			return err
		}
	}
	if r.To == "" {
		return nil
	}
	return h.deliverable(r.To)
}

// page is a page in the making.
type page struct {
	h       *History
	r       events.ReplayRequest
	limit   int
	reply   events.ReplayReply
	refused map[string]bool // whether nothing can be delivered to an endpoint
	msgs    []bus.Msg
	bytes   int
}

// addLetter takes a dead letter.
func (p *page) addLetter(ctx context.Context, m *bus.Message) (step, error) {
	d, err := p.h.letter(ctx, m)
	if err != nil {
		return 0, err
	}
	if p.r.DeliveryID != "" && d.ID != p.r.DeliveryID || p.r.EventID != "" && d.EventID != p.r.EventID || !matches(p.r.EventType, d.EventType) {
		return goOn, nil
	}
	to := p.r.To
	if to == "" {
		to = d.EndpointID
	}
	if p.cannotDeliver(to) {
		return p.skip(), nil
	}
	if p.r.DryRun {
		return p.counted(), nil
	}
	whole, err := p.h.whole(ctx, m)
	if errors.Is(err, bus.ErrNotFound) { // it has just expired
		return goOn, nil
	}
	if err != nil {
		return 0, err
	}
	fresh, err := p.h.deliveryOf(whole, to)
	if err != nil {
		return p.skip(), nil //nolint:nilerr // counted: nobody can read it
	}
	return p.take(m, fresh), nil
}

// addEvent takes an event.
func (p *page) addEvent(_ context.Context, m *bus.Message) (step, error) {
	if p.r.DryRun && p.r.EventID == "" { // there is no body to read
		return p.counted(), nil
	}
	ev, err := events.FromMessage(p.h.subjects, m.Subject, m.Header, m.Body, events.Stored{Stream: m.Stream, Sequence: m.Sequence, Time: m.Time})
	switch readable := err == nil; {
	case p.r.EventID != "" && (!readable || ev.ID != p.r.EventID):
		return goOn, nil
	case !readable:
		return p.skip(), nil
	case p.r.DryRun:
		return p.counted(), nil
	default:
		return p.take(m, delivery.New(ev, p.r.To, m.Time)), nil
	}
}

// cannotDeliver asks, once for each endpoint and page, whether nothing can be delivered to it.
func (p *page) cannotDeliver(endpointID string) bool {
	if endpointID == p.r.To {
		return false // asked when the request came
	}
	refused, known := p.refused[endpointID]
	if !known {
		refused = p.h.deliverable(endpointID) != nil
		p.refused[endpointID] = refused
	}
	return refused
}

// take puts a delivery on the page, unless that is full or the server would not take it.
func (p *page) take(m *bus.Message, d delivery.Delivery) step {
	d.ReplayID = p.r.ReplayID
	header, body, err := d.Message()
	if err != nil {
		return p.skip()
	}
	if len(p.msgs) > 0 && p.bytes+len(body) > pageBytes {
		return 0
	}
	msg := bus.Msg{Subject: p.h.subjects.DeliveryReady(d.EndpointID), ID: p.messageID(m, d.EndpointID), Header: header, Body: body}
	if parent, state := traceOf(m, d.Event); parent != "" {
		msg.Header[events.HeaderTraceParent] = []string{parent}
		if state != "" {
			msg.Header[events.HeaderTraceState] = []string{state}
		}
	}
	if most := p.h.streams.MaxPayload(); most > 0 && size(msg) > most {
		return p.skip()
	}
	p.msgs, p.bytes = append(p.msgs, msg), p.bytes+len(body)
	return p.counted()
}

// traceOf returns the trace that a delivery belongs to which is made of a message: that of what became of it so far, or, without one,
// that of its event.
func traceOf(m *bus.Message, ev events.Event) (parent, state string) {
	if parent, state = events.TraceContext(m.Header, nil); parent != "" {
		return parent, state
	}
	return ev.TraceParent, ev.TraceState
}

// messageID is the same whenever a page is asked for again.
func (p *page) messageID(m *bus.Message, endpointID string) string {
	return "replay-" + p.r.ReplayID + "-" + m.Stream + "-" + strconv.FormatUint(m.Sequence, 10) + "-" + endpointID
}

// size bounds the size of a message with its headers.
func size(m bus.Msg) int64 {
	const (
		firstLine = 64 // what opens and closes the headers
		line      = 4  // colon, space, CR, LF
	)
	n := firstLine + len(m.ID) + len(events.HeaderMsgID) + line + len(m.Body)
	for name, values := range m.Header {
		for _, value := range values {
			n += len(name) + len(value) + line
		}
	}
	return int64(n)
}

// skip counts what was chosen and cannot be delivered.
func (p *page) skip() step {
	p.reply.Skipped++
	return p.counted()
}

// counted counts what was chosen.
func (p *page) counted() step {
	if p.reply.Matched++; p.reply.Matched >= p.limit {
		return enough
	}
	return goOn
}
