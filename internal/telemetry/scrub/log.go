package scrub

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// Logs returns a handler that hands to next what s leaves of the records: messages and attributes without what must not be in them.
// Keys are not held against a list, for every line of the log is ours; but what is called a password, a token or an address is
// redacted whatever it looks like.
func Logs(s *Scrubber, next slog.Handler) slog.Handler { return logHandler{scrubber: s, next: next} }

type logHandler struct {
	scrubber *Scrubber
	next     slog.Handler
}

// Enabled implements [slog.Handler].
func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.scrubber.Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.scrubber.logged(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs implements [slog.Handler].
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.scrubber, h.next.WithAttrs(h.scrubber.group(attrs))}
}

// WithGroup implements [slog.Handler].
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.scrubber, h.next.WithGroup(name)}
}

func (s *Scrubber) group(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = s.logged(a)
	}
	return clean
}

// logged returns an attribute of the log without what must not be in it.
func (s *Scrubber) logged(a slog.Attr) slog.Attr {
	if private(a.Key) { // a number and a group, too
		return slog.String(a.Key, Redacted)
	}
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(s.group(a.Value.Group())...)}
	case slog.KindString:
		a.Value = slog.StringValue(s.Text(a.Value.String()))
	case slog.KindAny:
		a.Value = s.any(a.Value.Any())
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindTime, slog.KindUint64, slog.KindLogValuer:
	}
	return a
}

// any returns a value of any type as it is if its text shows nothing, else that text without it.
func (s *Scrubber) any(v any) (clean slog.Value) {
	defer func() {
		if recover() != nil { // a method of v's: a line of the log is no reason to end the process
			clean = slog.StringValue(Redacted)
		}
	}()
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(s.Text(v.Error()))
	case fmt.Stringer:
		return slog.StringValue(s.Text(v.String()))
	case []byte:
		return slog.StringValue(s.Text(string(v)))
	}
	written := fmt.Sprintf("%+v", v) // as the handler of text has it
	if clean := s.Text(written); clean != written {
		return slog.StringValue(clean)
	}
	text, err := json.Marshal(v) // as that of JSON has it
	if err != nil {
		return slog.StringValue(written)
	}
	if clean := s.Text(string(text)); clean != string(text) {
		return slog.StringValue(clean)
	}
	return slog.AnyValue(v)
}

// private reports whether what a key of the log names is nobody's business.
func private(key string) bool {
	if i := strings.LastIndexByte(key, '.'); i >= 0 { // db.password
		key = key[i+1:]
	}
	switch strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(key), "-", "_"), "x_") {
	case "password", "passwd", "token", "api_key", "apikey", "access_key", "private_key", "client_secret", "credential", "credentials",
		"authorization", "cookie", "set_cookie", "signature", "email", "phone", "prompt", "completion":
		return true
	}
	return false
}
