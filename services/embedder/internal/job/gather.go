package job

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// fetch reads a part. One that is not there any more, or is not what it should be, is removed and is [errLost].
func (r *run) fetch(ctx context.Context, at piece) (*part, error) {
	stream := r.jobs.bus.Subjects().StreamName(events.StreamParts)
	m, err := r.jobs.bus.LastOn(ctx, stream, at.subject)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", errLost, err)
	}
	if err != nil {
		return nil, err
	}
	p, err := decode(m.Body)
	if err == nil && (p.identity != r.identity || p.first != at.first || p.count != at.count) {
		err = errors.New("it is another's")
	}
	if err == nil {
		return p, nil
	}
	if _, purged := r.jobs.bus.Purge(ctx, stream, at.subject); purged != nil {
		return nil, errors.Join(err, purged)
	}
	return nil, fmt.Errorf("%w: %s: %w", errLost, at.subject, err)
}

// learn finds out in which space the vectors lie that are there, before others are paid for.
func (r *run) learn(ctx context.Context, pieces []piece) error {
	for _, at := range pieces {
		p, err := r.fetch(ctx, at)
		if err != nil {
			return err
		}
		if p.Space.Dimensions > 0 {
			return r.agree(p.Space)
		}
	}
	return nil
}

// gatherer reads the parts of a request one by one, and sums up what they say. It reads as the rows of all texts, zeros for those that
// failed, with no more than one part in memory.
type gatherer struct {
	ctx    context.Context //nolint:containedctx // that of one call, which reads through an io.Reader
	run    *run
	pieces []piece

	model  string
	tokens int
	failed int
	items  []events.Embedding // of which there is more to say than their vector
	first  *events.ErrorBody  // the first error
	zeros  int                // rows that are still to be read as zeros
	rows   []byte             // of the part at hand, as far as they are not read
}

// next takes the next part in hand; [io.EOF] after the last.
func (g *gatherer) next() error {
	if len(g.pieces) == 0 {
		return io.EOF
	}
	at := g.pieces[0]
	p, err := g.run.fetch(g.ctx, at)
	if err != nil {
		return err
	}
	g.pieces = g.pieces[1:]
	g.tokens += p.Tokens
	if g.model == "" || p.Space.Dimensions > 0 && g.run.dimensions() == 0 {
		g.model = p.Model
	}
	for _, n := range p.Items {
		if n.Index < at.skip || n.Index >= p.count {
			continue
		}
		if n.Error != nil {
			g.failed++
			if g.first == nil {
				g.first = n.Error
			}
		}
		g.items = append(g.items, events.Embedding{Object: "embedding", Index: at.first + n.Index, Truncated: n.Truncated, Error: n.Error})
	}
	if p.Space.Dimensions == 0 {
		g.zeros += p.count - at.skip
		return nil
	}
	if err := g.run.agree(p.Space); err != nil {
		return err
	}
	g.rows = p.rows[4*p.Space.Dimensions*at.skip:]
	return nil
}

// Read implements [io.Reader].
func (g *gatherer) Read(b []byte) (int, error) {
	for g.zeros == 0 && len(g.rows) == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	if g.zeros > 0 { // rows of zeros come in whole numbers: as many as the buffer holds, or one through it
		row := 4 * g.run.dimensions()
		n := min(len(b)/row, g.zeros)
		if n > 0 {
			clear(b[:n*row])
			g.zeros -= n
			return n * row, nil
		}
		g.zeros--
		g.rows = append(make([]byte, row), g.rows...)
	}
	n := copy(b, g.rows)
	g.rows = g.rows[n:]
	return n, nil
}

// dimensions is the length of the vectors, 0 while there is none.
func (r *run) dimensions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.space.Dimensions
}
