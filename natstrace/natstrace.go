package natstrace

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// ScopeName is the name of the instrumentation scope of the spans.
const ScopeName = "github.com/neuron7x/mlsdm-integrations/natstrace"

const (
	// MaxBytes is how large an event may be, in bytes, also when it is unpacked: room for one that tells of some thousands of receivers.
	MaxBytes = 1 << 20
	// DefaultPatience is how long a span waits for the one above it, of another server.
	DefaultPatience = 2 * time.Second
	// longest is how long a server may have had a message: what is longer is not believed.
	longest = time.Hour
)

var (
	// ErrInvalid is wrapped by what [Bridge.Handle] returns for what is no event of a server.
	ErrInvalid = errors.New("natstrace: not a trace event of a NATS server")
	// ErrTooLarge is returned for an event of more than [MaxBytes].
	ErrTooLarge = errors.New("natstrace: the trace event is too large")
	// ErrCompressed is returned for an event in a compression that the standard library does not know. The server compresses what it
	// says about messages that have a header "Accept-Encoding": with gzip, which is read, or with snappy, which is not.
	ErrCompressed = errors.New("natstrace: the trace event is compressed with snappy")
)

// Bridge makes spans of events. Make one with [New]. It is safe for concurrent use.
type Bridge struct {
	tracer   trace.Tracer
	template func(subject string) string
	patience time.Duration

	mu     sync.Mutex
	seen   recent
	hops   hops
	held   []held // events that wait for the one above, in the order in which they came
	timer  *time.Timer
	counts Counts
	closed bool
}

// Option changes how a bridge works.
type Option func(*Bridge)

// Template gives the bridge what it calls a subject in the names of spans: the subject with its ids taken out, such as
// "orders.{id}". The number of different results must be small; an empty one leaves the subject out. Without this option no span
// tells a subject. The function is called with subjects that anybody may have chosen.
func Template(of func(subject string) string) Option { return func(b *Bridge) { b.template = of } }

// Patience is how long what one server says waits for what the server before it says, which may come later; the default is
// [DefaultPatience]. Then the span is started under that of the publisher. It matters only where servers form a cluster.
func Patience(d time.Duration) Option { return func(b *Bridge) { b.patience = d } }

// New returns a bridge whose spans are of the provider's.
func New(provider trace.TracerProvider, options ...Option) *Bridge {
	b := &Bridge{
		tracer:   provider.Tracer(ScopeName),
		template: func(string) string { return "" },
		patience: DefaultPatience,
	}
	for _, option := range options {
		option(b)
	}
	return b
}

// Counts says what has become of the events so far.
type Counts struct {
	// Spans are events that became spans, Orphans those of them that waited for the one above in vain, Held those that still wait.
	Spans, Orphans, Held uint64
	// Unsampled events belong to no trace that is recorded, Duplicates were handled before. Refused are those that Handle returned
	// an error for.
	Unsampled, Duplicates, Refused uint64
}

// Counts returns the counts.
func (b *Bridge) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.counts
	c.Held = uint64(len(b.held))
	return c
}

// Handle takes the payload of one message from the destination of msg_trace, and starts and ends the spans that it tells of. What was
// handled before, and what is not sampled, is left alone. An error says that this is no event that can be read: one of this package's.
// It neither blocks nor keeps data.
func (b *Bridge) Handle(data []byte) error {
	e, err := read(data)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.counts.Refused++
		return err
	}
	parent := parentOf(e)
	switch {
	case !parent.IsSampled():
		b.counts.Unsampled++
	case !b.seen.add(e):
		b.counts.Duplicates++
	default:
		b.place(e, parent)
	}
	return nil
}

// Close starts the spans that still wait for another, at once. What is handled later does not wait.
func (b *Bridge) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.release(time.Time{})
}

// read unpacks and parses an event.
func read(data []byte) (*event, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrTooLarge, len(data), MaxBytes)
	}
	if bytes.HasPrefix(data, []byte("\xff\x06\x00\x00")) { // how streams of snappy, and of its kin, begin
		return nil, ErrCompressed
	}
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if data, err = io.ReadAll(io.LimitReader(z, MaxBytes+1)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if len(data) > MaxBytes {
			return nil, fmt.Errorf("%w: unpacked it has more than %d bytes", ErrTooLarge, MaxBytes)
		}
	}
	return parse(data)
}

// parentOf returns the span that the publisher of the message has named; it is invalid if there is none.
func parentOf(e *event) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier(e.Request.Header))
	return trace.SpanContextFromContext(ctx)
}
