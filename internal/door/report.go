package door

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of the reporter.
const (
	maxReports   = 4096            // reports that may wait
	reportBatch  = 256             // reports that are published together
	flushTimeout = 5 * time.Second // for one batch, and for all that is left at the end
	// gatherTime is for how long a report waits for others: one by one, each would cost a wake-up and a write.
	gatherTime = 10 * time.Millisecond
)

// reporter publishes request.processed without ever delaying a request: a queue of bounded length, and one goroutine that
// empties it. When the bus cannot take reports as fast as they come, the newest are dropped and counted.
type reporter struct {
	bus     *bus.Bus
	source  string
	log     *slog.Logger
	metrics *metrics

	mu     sync.Mutex
	closed bool
	ending chan struct{} // closed with the queue
	queue  chan report
}

// report is what is told about one request; nobody changes it any more.
type report struct {
	ended   time.Time
	span    trace.SpanContext
	payload *events.RequestProcessed
}

// newReporter returns a reporter whose queue is not yet emptied: see run.
func newReporter(b *bus.Bus, source string, log *slog.Logger, m *metrics) *reporter {
	return &reporter{bus: b, source: source, log: log, metrics: m, queue: make(chan report, maxReports), ending: make(chan struct{})}
}

// report puts one report in the queue. The event belongs to the trace of ctx.
func (r *reporter) report(ctx context.Context, payload *events.RequestProcessed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	select {
	case r.queue <- report{ended: time.Now(), span: trace.SpanContextFromContext(ctx), payload: payload}:
	default:
		r.metrics.lost.Inc()
	}
}

// batch is what is published together. What it holds is used again for the next one: when it has been published, the bus has let go of it.
type batch struct {
	reporter *reporter
	subject  string
	msgs     []bus.Msg
	headers  []map[string][]string // one for each message, with a list of one value for each header
	bodies   []byte                // one behind the other; it is left to those that are in it when it has to grow
}

// maxBodies is the largest memory for bodies that is used again, in bytes.
const maxBodies = 512 << 10

// add adds the event of a report.
func (b *batch) add(ctx context.Context, p report) error {
	ev := events.Event{ID: events.NewID(), Source: b.reporter.source, Time: p.ended}
	if p.span.IsValid() {
		carrier := make(map[string][]string)
		bus.InjectTrace(trace.ContextWithSpanContext(ctx, p.span), carrier)
		ev.TraceParent = events.HeaderValue(carrier, events.HeaderTraceParent)
		ev.TraceState = events.HeaderValue(carrier, events.HeaderTraceState)
	}
	begin := len(b.bodies)
	bodies, err := p.payload.AppendEvent(b.bodies, &ev)
	if err != nil {
		return err
	}
	b.bodies = bodies
	b.msgs = append(b.msgs, bus.Msg{Subject: b.subject, Header: b.header(&ev), GiveHeader: true, Body: bodies[begin:len(bodies):len(bodies)]})
	return nil
}

// header returns the headers of the next message, its id among them.
func (b *batch) header(ev *events.Event) map[string][]string {
	number := len(b.msgs)
	if number == len(b.headers) {
		b.headers = append(b.headers, map[string][]string{events.HeaderMsgID: {""}, events.HeaderContentType: {events.ContentTypeCloudEvent}})
	}
	header := b.headers[number]
	header[events.HeaderMsgID][0] = ev.ID
	delete(header, events.HeaderTraceParent)
	delete(header, events.HeaderTraceState)
	if ev.TraceParent != "" {
		header[events.HeaderTraceParent] = []string{ev.TraceParent}
		if ev.TraceState != "" {
			header[events.HeaderTraceState] = []string{ev.TraceState}
		}
	}
	return header
}

// publish publishes what is in the batch, and empties it.
func (b *batch) publish(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := b.reporter.bus.PublishAll(bounded, b.msgs); err != nil {
		b.reporter.lost(ctx, len(b.msgs), err)
	}
	clear(b.msgs)
	b.msgs, b.bodies = b.msgs[:0], b.bodies[:0]
	if cap(b.bodies) > maxBodies {
		b.bodies = nil
	}
}

// run publishes reports until the queue is closed and empty.
func (r *reporter) run(ctx context.Context) {
	b := batch{reporter: r, subject: r.bus.Subjects().Event(events.TypeRequestProcessed)}
	for first := range r.queue {
		r.gather()
		for more := true; more; {
			if err := b.add(ctx, first); err != nil {
				r.lost(ctx, 1, err)
			}
			if more = len(b.msgs) < reportBatch && len(r.queue) > 0; more { // this goroutine is the only reader
				first = <-r.queue
			}
		}
		b.publish(ctx)
	}
}

// gather waits a little for more reports, unless there are enough of them, or the last is there.
func (r *reporter) gather() {
	if len(r.queue) >= reportBatch {
		return
	}
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ending:
	}
}

// lost says that reports could not be published.
func (r *reporter) lost(ctx context.Context, n int, err error) {
	r.metrics.lost.Add(float64(n))
	r.log.ErrorContext(ctx, "events about processed requests could not be published",
		"event_type", events.TypeRequestProcessed, "count", n, "err", err)
}

// close ends the queue; what is in it is still published by run.
func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.queue)
		close(r.ending)
	}
}
