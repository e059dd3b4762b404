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

// message makes the event of a report.
func (r *reporter) message(ctx context.Context, p report) (bus.Msg, error) {
	ev, err := events.New(r.source, *p.payload)
	if err != nil {
		return bus.Msg{}, err
	}
	ev.Time = p.ended.UTC()
	if p.span.IsValid() {
		carrier := make(map[string][]string)
		bus.InjectTrace(trace.ContextWithSpanContext(ctx, p.span), carrier)
		ev.TraceParent = events.HeaderValue(carrier, events.HeaderTraceParent)
		ev.TraceState = events.HeaderValue(carrier, events.HeaderTraceState)
	}
	subject, header, body, err := ev.Message(r.bus.Subjects())
	return bus.Msg{Subject: subject, ID: ev.ID, Header: header, GiveHeader: true, Body: body}, err
}

// run publishes reports until the queue is closed and empty.
func (r *reporter) run(ctx context.Context) {
	batch := make([]bus.Msg, 0, reportBatch)
	for first := range r.queue {
		r.gather()
		for more := true; more; {
			msg, err := r.message(ctx, first)
			if err != nil {
				r.lost(ctx, 1, err)
			} else {
				batch = append(batch, msg)
			}
			if more = len(batch) < reportBatch && len(r.queue) > 0; more { // this goroutine is the only reader
				first = <-r.queue
			}
		}
		bounded, cancel := context.WithTimeout(ctx, flushTimeout)
		err := r.bus.PublishAll(bounded, batch)
		cancel()
		if err != nil {
			r.lost(ctx, len(batch), err)
		}
		clear(batch)
		batch = batch[:0]
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
