package batch

import (
	"context"
	"fmt"
	"math/bits"
	"runtime/debug"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
)

// call is one call, and its context. The batcher's lock guards it.
type call struct {
	context.Context //nolint:containedctx // it is one: of which the deadline moves

	base   context.Context //nolint:containedctx // of those that may follow from it
	cancel context.CancelFunc
	mu     *sync.Mutex
	texts  []*text
	// live counts the texts that are in this call, and that somebody waits for.
	live int
	// part says that it repeats one that has failed, for some of its texts.
	part bool
	// latest is the last deadline of those who wait; endless says that one of them has none.
	latest  time.Time
	endless bool
}

// newCall makes a call for n texts with the values of base, which does not end.
func newCall(base context.Context, mu *sync.Mutex, n int) *call {
	c := &call{base: base, mu: mu, texts: make([]*text, 0, n)}
	c.Context, c.cancel = context.WithCancel(base)
	return c
}

// Deadline implements [context.Context]: it is that of the last who waits.
func (c *call) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endless {
		return time.Time{}, false
	}
	return c.latest, true
}

// take adds a text that somebody waits for.
func (c *call) take(t *text) {
	t.call = c
	c.live++
	c.texts = append(c.texts, t)
	for _, w := range t.waiters {
		if !w.gone {
			c.extend(w)
		}
	}
}

// extend moves the deadline for one more who waits.
func (c *call) extend(r *request) {
	if c.endless {
		return
	}
	deadline, bounded := r.ctx.Deadline()
	if !bounded {
		c.endless = true
	} else if deadline.After(c.latest) {
		c.latest = deadline
	}
}

// abandon ends a call that nobody waits for. Who wants one of its texts now, asks anew.
func (c *call) abandon(g *group) {
	c.cancel()
	for _, t := range c.texts {
		if t.call == c {
			g.forget(t)
		}
	}
}

// part makes a call for some of the texts of one that has failed. Those that nobody waits for any longer are left out; it is nil if that
// is all of them.
func (b *Batcher) part(base context.Context, g *group, texts []*text) *call {
	b.mu.Lock()
	defer b.mu.Unlock()
	var c *call
	for _, t := range texts {
		switch {
		case t.done:
		case t.live == 0:
			g.forget(t)
		default:
			if c == nil {
				c = newCall(base, &b.mu, len(texts))
				c.part = true
			}
			c.take(t)
		}
	}
	return c
}

// ask makes a call. An answer that is not one vector for each text is a fault, and so is a panic.
func (b *Batcher) ask(c *call, g Group, truncate bool) (embedded *llm.Embedded, answered string, fault *llm.Fault) {
	defer c.cancel()
	texts := make([]string, len(c.texts))
	for i, t := range c.texts {
		texts[i] = t.text
	}
	defer func() {
		if v := recover(); v != nil {
			b.opts.Logger.ErrorContext(c, "a call for embeddings panicked", "model", g.Model, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			fault = lost()
		}
	}()
	ctx, load := b.carry(c)
	defer load.Done()
	embedded, answered, err := b.calls.Call(ctx, g, texts, truncate)
	switch {
	case err != nil:
		return nil, "", llm.FaultOf(err)
	case embedded == nil || len(embedded.Vectors) != len(texts):
		return nil, "", &llm.Fault{Class: llm.ClassAnswer, Err: llm.BadAnswer("", "it does not hold %d vectors", len(texts))}
	}
	return embedded, answered, nil
}

// carry says in the context of a call whose texts it carries, if there is somebody who wants to know.
func (b *Batcher) carry(c *call) (context.Context, *genai.Load) {
	if !b.opts.GenAI.Traces(c) {
		return c, nil
	}
	return b.opts.GenAI.Carry(c, b.carried(c), c.part)
}

// carried are the contexts of the requests that wait for the texts of a call, in the order of its texts.
func (b *Batcher) carried(c *call) []context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []context.Context
	seen := make(map[*request]struct{})
	for _, t := range c.texts {
		for _, w := range t.waiters {
			if _, known := seen[w]; !known && !w.gone {
				seen[w] = struct{}{}
				all = append(all, w.ctx)
			}
		}
	}
	return all
}

// lost is the fault of a call that ended without a word. It is nobody's text's.
func lost() *llm.Fault {
	return &llm.Fault{Class: llm.ClassProvider, Err: events.Errorf(events.CodeInternal, "internal error; the service's log has the cause")}
}

// shares splits the tokens that a call used by what its texts have, as far as that is known, or evenly. They add up exactly.
func shares(used int, e *llm.Embedded, texts []*text, even bool) []int {
	parts := make([]int, len(texts))
	if used <= 0 {
		return parts
	}
	weight := func(i int) uint64 {
		if n, counted := tokenids.Count(texts[i].text); counted {
			return uint64(n) //nolint:gosec // it is a count
		}
		return uint64(len(texts[i].text))
	}
	if len(e.Tokens) == len(texts) {
		weight = func(i int) uint64 {
			n := e.Tokens[i]
			if cut, ok := e.Truncated[i]; ok && cut.Used > 0 {
				n = min(n, cut.Used)
			}
			return uint64(min(max(n, 0), 1<<32))
		}
	}
	var all, sum, before uint64
	for i := range texts {
		all += weight(i)
	}
	if even = even || all == 0; even {
		all = uint64(len(texts))
	}
	for i := range texts {
		if even {
			sum++
		} else {
			sum += weight(i)
		}
		// The rounded share of all up to this one, less that of those before it.
		hi, lo := bits.Mul64(uint64(used), sum)
		upTo, _ := bits.Div64(hi, lo, all)
		parts[i] = int(upTo - before) //nolint:gosec // it is at most used
		before = upTo
	}
	return parts
}
