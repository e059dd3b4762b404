package telemetry

import (
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// maxTraces and maxSpans bound what a [traceBuffer] holds: traces, and spans of each.
	maxTraces = 512
	maxSpans  = 256
	// maxAge is how long it waits for a root that does not end.
	maxAge = time.Minute
)

// traceBuffer collects the spans of each trace until the last of its local roots has ended: the spans without a parent in this
// process.
type traceBuffer struct {
	mu     sync.Mutex
	traces map[trace.TraceID]*pending
	order  []trace.TraceID // the oldest first; some may be gone from traces
}

// pending is a trace that goes on.
type pending struct {
	roots int
	since time.Time
	spans []sdktrace.ReadOnlySpan
}

func newTraceBuffer() *traceBuffer { return &traceBuffer{traces: map[trace.TraceID]*pending{}} }

// isRoot reports whether a span has no parent in this process.
func isRoot(s sdktrace.ReadOnlySpan) bool { return !s.Parent().IsValid() || s.Parent().IsRemote() }

// start is told of each span that starts. It returns the spans of a trace that had to give up its place.
func (b *traceBuffer) start(s sdktrace.ReadOnlySpan) (evicted []sdktrace.ReadOnlySpan) {
	if !isRoot(s) {
		return nil
	}
	id := s.SpanContext().TraceID()
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.traces[id]
	if p == nil {
		evicted = b.makeRoom()
		p = &pending{since: time.Now()}
		b.traces[id] = p
		b.order = append(b.order, id)
	}
	p.roots++
	return evicted
}

// makeRoom gives up the oldest trace if there are too many, or if it is too old.
func (b *traceBuffer) makeRoom() (evicted []sdktrace.ReadOnlySpan) {
	for len(b.order) > 0 {
		oldest := b.traces[b.order[0]]
		if oldest != nil && len(b.traces) < maxTraces && time.Since(oldest.since) < maxAge {
			break
		}
		if oldest != nil {
			evicted = oldest.spans
			delete(b.traces, b.order[0])
		}
		b.order = b.order[1:]
		if evicted != nil {
			break
		}
	}
	if len(b.order) > 2*maxTraces { // most of it is over
		b.order = slices.DeleteFunc(b.order, func(id trace.TraceID) bool { return b.traces[id] == nil })
	}
	return evicted
}

// end is told of each span that has ended. It returns the spans of its trace if that is over.
func (b *traceBuffer) end(s sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	id := s.SpanContext().TraceID()
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.traces[id]
	if p == nil { // its root has ended before it
		return nil
	}
	root := isRoot(s)
	if root {
		p.roots--
	}
	if root || len(p.spans) < maxSpans {
		p.spans = append(p.spans, s)
	}
	if p.roots > 0 {
		return nil
	}
	delete(b.traces, id)
	return p.spans
}

// rest returns what is left, trace by trace.
func (b *traceBuffer) rest() [][]sdktrace.ReadOnlySpan {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all [][]sdktrace.ReadOnlySpan
	for _, id := range b.order {
		if p := b.traces[id]; p != nil && len(p.spans) > 0 {
			all = append(all, p.spans)
		}
	}
	clear(b.traces)
	b.order = nil
	return all
}

// worthKeeping reports whether spans have an error, or a root that took as long as slow.
func worthKeeping(spans []sdktrace.ReadOnlySpan, slow time.Duration) bool {
	return slices.ContainsFunc(spans, func(s sdktrace.ReadOnlySpan) bool {
		return s.Status().Code == codes.Error || slow > 0 && isRoot(s) && s.EndTime().Sub(s.StartTime()) >= slow
	})
}
