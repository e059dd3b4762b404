package telemetry

import (
	"context"
	"io"
	"io/fs"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// newHandler returns what writes to w as c says: every level, since [levelHandler] stands before it.
func newHandler(c Config, w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	var h slog.Handler
	if c.LogFormat == FormatText || (c.LogFormat != FormatJSON && isTerminal(w)) {
		h = slog.NewTextHandler(w, options)
	} else {
		h = slog.NewJSONHandler(w, options)
	}
	return traceHandler{h}
}

// isTerminal reports whether w is a terminal, or looks like one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}

// traceHandler adds the ids of the current trace, so that a line of the log leads to it.
type traceHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
