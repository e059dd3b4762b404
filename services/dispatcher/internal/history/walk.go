package history

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// walk is what of a stream one page looks at.
type walk struct {
	at          cursor
	subjects    []string
	since       time.Time // messages stored before are left out
	until       time.Time // the first message stored then or later is the end; zero is never
	headersOnly bool
	messages    int // at most
	time        time.Duration
}

// step says what a visitor did with a message. From 0 on it is the part of the message with which the next page has to begin:
// this one is full.
type step int

const (
	goOn   step = -1 // it is done with the message
	enough step = -2 // it is done with the message, and the page is full
)

// progress is how far a walk came.
type progress struct {
	cursor  string // where to go on; empty when done
	scanned int
	done    bool
}

// walk reads the stream, from where the cursor says to what was its end when the cursor was made. The visitor is told with
// which part of the message to begin.
func (h *History) walk(ctx context.Context, w walk, visit func(m *bus.Message, from int) (step, error)) (progress, error) {
	stream := h.stream(w.at.stream)
	if w.at.end == 0 {
		end, err := h.streams.LastSequence(ctx, stream)
		if err != nil {
			return progress{}, err
		}
		w.at.end = end
	}
	if w.at.end == 0 {
		return progress{done: true}, nil
	}
	began := time.Now()
	p := progress{done: true} // unless something stops it before the end
	at := w.at
	err := h.streams.Scan(ctx, bus.ScanConfig{
		Stream: stream, Subjects: w.subjects, FromSequence: at.next, FromTime: w.since, HeadersOnly: w.headersOnly,
	}, func(m *bus.Message) (bool, error) {
		if m.Sequence > at.end || !w.until.IsZero() && !m.Time.Before(w.until) {
			return false, nil
		}
		p.scanned++
		from := 0
		if m.Sequence == w.at.next {
			from = w.at.index
		}
		s, err := visit(m, from)
		if err != nil {
			return false, err
		}
		if s >= 0 {
			at.next, at.index, p.done = m.Sequence, int(s), false
			return false, nil
		}
		at.next, at.index = m.Sequence+1, 0
		if at.next > at.end {
			return false, nil
		}
		if s == enough || p.scanned >= w.messages || time.Since(began) >= w.time {
			p.done = false
		}
		return p.done, nil
	})
	if err != nil {
		return progress{}, err
	}
	if !p.done {
		p.cursor = at.String()
	}
	return p, nil
}
