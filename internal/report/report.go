// Package report publishes events about what a service does, without ever delaying what it does.
package report

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of a reporter.
const (
	maxReports   = 4096            // events that may wait
	batchSize    = 256             // events that are published together
	flushTimeout = 5 * time.Second // for one batch
)

// Reporter is a queue of bounded length, and one goroutine that empties it ([Reporter.Run]). When the bus cannot take events as
// fast as they come, the newest are dropped and counted. It is safe for concurrent use.
type Reporter struct {
	bus    *bus.Bus
	source string
	log    *slog.Logger
	lost   prometheus.Counter

	mu     sync.Mutex
	closed bool
	queue  chan bus.Msg
}

// New returns a reporter whose events have the given source, for example "/mlsdm/generator". lost counts those that could not be
// published.
func New(b *bus.Bus, source string, log *slog.Logger, lost prometheus.Counter) *Reporter {
	return &Reporter{bus: b, source: source, log: log, lost: lost, queue: make(chan bus.Msg, maxReports)}
}

// Report puts one event in the queue; after [Reporter.Close] it does nothing. subject is what the event is about, and may be empty.
// The event belongs to the trace of ctx.
func (r *Reporter) Report(ctx context.Context, subject string, payload events.Payload) {
	ev, err := events.New(r.source, payload)
	if err != nil {
		r.failed(ctx, 1, err)
		return
	}
	ev.Subject = subject
	trace := make(map[string][]string)
	bus.InjectTrace(ctx, trace)
	ev.TraceParent = events.HeaderValue(trace, events.HeaderTraceParent)
	ev.TraceState = events.HeaderValue(trace, events.HeaderTraceState)
	to, header, body, err := ev.Message(r.bus.Subjects())
	if err != nil {
		r.failed(ctx, 1, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	select {
	case r.queue <- bus.Msg{Subject: to, ID: ev.ID, Header: header, GiveHeader: true, Body: body}:
	default:
		r.lost.Inc()
	}
}

// Run publishes events until [Reporter.Close] was called and the queue is empty.
func (r *Reporter) Run(ctx context.Context) {
	for first := range r.queue {
		batch := append(make([]bus.Msg, 0, batchSize), first)
		for len(batch) < batchSize && len(r.queue) > 0 { // this goroutine is the only reader
			batch = append(batch, <-r.queue)
		}
		bounded, cancel := context.WithTimeout(ctx, flushTimeout)
		err := r.bus.PublishAll(bounded, batch)
		cancel()
		if err != nil {
			r.failed(ctx, len(batch), err)
		}
	}
}

// failed says that events could not be published.
func (r *Reporter) failed(ctx context.Context, n int, err error) {
	r.lost.Add(float64(n))
	r.log.ErrorContext(ctx, "events could not be published", "event_source", r.source, "count", n, "err", err)
}

// Close ends the queue; what is in it is still published by Run.
func (r *Reporter) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
}
