package genai

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Load is what a call carries, and the attempts that were made for it so far. One goroutine uses it. A nil one is nobody's.
type Load struct {
	requests []context.Context
	part     bool

	made, places int
	target, key  string // of the last attempt
	last         trace.SpanContext
}

// loadKey is the key of a load in a context.
type loadKey struct{}

// maxLinks is how many requests a span has links to; a call may carry more.
const maxLinks = 128

// Carry says in the context of a call whose texts it carries, by the contexts of the requests, each of them once, and numbers the attempts
// that are made for it. part says that the call repeats one that has failed, with some of its texts. The call belongs to the trace of ctx;
// its attempts have links to the requests if those are several.
func (r *Recorder) Carry(ctx context.Context, requests []context.Context, part bool) (context.Context, *Load) {
	if !r.Traces(ctx) {
		return ctx, nil
	}
	l := &Load{requests: requests, part: part}
	return context.WithValue(ctx, loadKey{}, l), l
}

// loadOf is what a call carries, if that was said.
func loadOf(ctx context.Context) *Load {
	l, _ := ctx.Value(loadKey{}).(*Load)
	return l
}

// links are those to the requests; none if there is only one, to whose trace the call belongs.
func (l *Load) links() []trace.Link {
	if len(l.requests) < 2 {
		return nil
	}
	links := make([]trace.Link, 0, min(len(l.requests), maxLinks))
	for _, request := range l.requests {
		if at := trace.SpanContextFromContext(request); at.IsValid() && len(links) < maxLinks {
			links = append(links, trace.Link{SpanContext: at})
		}
	}
	return links
}

// Done tells the spans of the requests where the last attempt is to be found: of those whose trace it does not belong to nothing else
// does. It is called before they hear of the answer, while their spans are open.
func (l *Load) Done() {
	if l == nil || len(l.requests) < 2 || !l.last.IsValid() {
		return
	}
	for _, request := range l.requests {
		if span := trace.SpanFromContext(request); span.IsRecording() && span.SpanContext().TraceID() != l.last.TraceID() {
			span.AddLink(trace.Link{SpanContext: l.last})
		}
	}
}

// next numbers the next attempt, and says why it is made.
func (l *Load) next(about *About) {
	l.made++
	switch {
	case l.made == 1 && l.part:
		about.Why = Part
	case l.made == 1:
		about.Why = First
	case l.target != about.Name:
		about.Why = Fallback
	case l.key != about.Key:
		about.Why = NextKey
	default:
		about.Why = Retry
	}
	if l.target != about.Name {
		l.places++
	}
	l.target, l.key = about.Name, about.Key
	about.Number, about.Place = l.made, l.places
}
