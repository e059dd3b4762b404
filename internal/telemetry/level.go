package telemetry

import (
	"context"
	"log/slog"
	"sync"
)

// levels are the least levels of the services of one process, which may change while they run.
type levels struct {
	initial slog.Level

	mu sync.Mutex
	of map[string]*slog.LevelVar
}

// level returns that of a service, which is made when it is first asked for.
func (l *levels) level(service string) *slog.LevelVar {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.of[service]
	if v == nil {
		v = new(slog.LevelVar)
		v.Set(l.initial)
		l.of[service] = v
	}
	return v
}

// levelHandler lets pass what is not below a level that may change.
type levelHandler struct {
	slog.Handler
	level slog.Leveler
}

// Enabled implements [slog.Handler].
func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level.Level() && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler].
func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements [slog.Handler].
func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.level}
}
