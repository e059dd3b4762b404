package delivery

import "time"

// headers are the headers of a message. Their values share one array, because there are so many of them.
type headers struct {
	all    map[string][]string
	values []string
}

// newHeaders has room for what the bus, an event and a trace add.
func newHeaders() headers {
	const ours, everybodys = 4, 14
	return headers{all: make(map[string][]string, everybodys), values: make([]string, 0, ours)}
}

// set sets a header.
func (h *headers) set(name, value string) {
	n := len(h.values)
	h.values = append(h.values, value)
	h.all[name] = h.values[n : n+1 : n+1]
}

// setTime sets a header to a time, unless that is zero.
func (h *headers) setTime(name string, at time.Time) {
	if !at.IsZero() {
		h.set(name, at.UTC().Format(time.RFC3339Nano))
	}
}
