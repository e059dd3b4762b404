package watch_test

import (
	"strings"
	"sync"
)

// records is where log lines go.
type records struct {
	mu  sync.Mutex
	all strings.Builder
}

// Write implements [io.Writer].
func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(p)
}

// String returns all lines.
func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.String()
}

// count returns how many lines have a text in them.
func (r *records) count(text string) int { return strings.Count(r.String(), text) }

// about returns the lines that have a text in them.
func (r *records) about(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(r.String()) {
		if strings.Contains(line, text) {
			lines.WriteString(line)
		}
	}
	return lines.String()
}
