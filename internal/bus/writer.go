package bus

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Writer stores messages one behind the other and does not wait for each ack: only so many are on their way at a time. It is
// for one goroutine. Of its messages, which are pieces of something, only the first that could not be stored has a span.
type Writer struct {
	bus    *Bus
	window int
	sent   []writing // the oldest first
	err    error
}

// writing is a message on its way.
type writing struct {
	receipt *receipt
	subject string
}

// NewWriter returns a writer that has at most window messages on their way.
func (b *Bus) NewWriter(window int) *Writer { return &Writer{bus: b, window: max(window, 1)} }

// Write sends a message, as soon as fewer than the window are on their way. It fails for good with the first message that
// could not be stored, which may be one of those before.
func (w *Writer) Write(ctx context.Context, m Msg) error {
	for w.err == nil && len(w.sent) >= w.window {
		w.settle(ctx)
	}
	if w.err != nil {
		return w.err
	}
	r, err := w.bus.send(w.bus.unseen(ctx), m, trace.SpanContext{})
	if err != nil {
		w.fail(ctx, m.Subject, err)
		return w.err
	}
	w.sent = append(w.sent, writing{r, m.Subject})
	return nil
}

// Flush waits until all messages are stored.
func (w *Writer) Flush(ctx context.Context) error {
	for len(w.sent) > 0 {
		w.settle(ctx)
	}
	return w.err
}

// settle waits for the oldest message.
func (w *Writer) settle(ctx context.Context) {
	oldest := w.sent[0]
	w.sent = w.sent[1:]
	if _, err := w.bus.await(ctx, oldest.receipt); err != nil {
		w.fail(ctx, oldest.subject, err)
	}
}

// fail notes the first failure.
func (w *Writer) fail(ctx context.Context, subject string, err error) {
	err = w.bus.unpublished(subject, err)
	if w.err != nil {
		return
	}
	w.err = err
	if began := w.bus.clock(); w.bus.notable(ctx, began, err) {
		w.bus.afterwards(ctx, began, &w.bus.templates.of(subject).publish, err)
	}
}
