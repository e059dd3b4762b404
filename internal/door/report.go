package door

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of the reporter.
const (
	maxReports   = 4096            // reports that may wait
	reportBatch  = 256             // reports that are published together
	flushTimeout = 5 * time.Second // for one batch, and for all that is left at the end
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
	queue  chan bus.Msg
}

// newReporter returns a reporter whose queue is not yet emptied: see run.
func newReporter(b *bus.Bus, source string, log *slog.Logger, m *metrics) *reporter {
	return &reporter{bus: b, source: source, log: log, metrics: m, queue: make(chan bus.Msg, maxReports)}
}

// report puts one report in the queue. The event belongs to the trace of ctx.
func (r *reporter) report(ctx context.Context, payload *events.RequestProcessed) {
	ev, err := events.New(r.source, *payload)
	if err != nil {
		r.lost(ctx, 1, err)
		return
	}
	trace := make(map[string][]string)
	bus.InjectTrace(ctx, trace)
	ev.TraceParent = events.HeaderValue(trace, events.HeaderTraceParent)
	ev.TraceState = events.HeaderValue(trace, events.HeaderTraceState)
	subject, header, body, err := ev.Message(r.bus.Subjects())
	if err != nil {
		r.lost(ctx, 1, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	select {
	case r.queue <- bus.Msg{Subject: subject, ID: ev.ID, Header: header, Body: body}:
	default:
		r.metrics.lost.Inc()
	}
}

// run publishes reports until the queue is closed and empty.
func (r *reporter) run(ctx context.Context) {
	for first := range r.queue {
		batch := append(make([]bus.Msg, 0, reportBatch), first)
		for len(batch) < reportBatch && len(r.queue) > 0 { // this goroutine is the only reader
			batch = append(batch, <-r.queue)
		}
		bounded, cancel := context.WithTimeout(ctx, flushTimeout)
		err := r.bus.PublishAll(bounded, batch)
		cancel()
		if err != nil {
			r.lost(ctx, len(batch), err)
		}
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
	}
}
