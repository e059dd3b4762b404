// Package batch joins the texts of concurrent requests into calls, and splits large requests into several.
//
// Nobody waits when nothing is under way. While calls of a group are in flight, new texts wait until they fill a call, until one comes
// back, or for a few milliseconds. A call takes one text of each request in turn, so that a large request does not hold up a small one.
// Texts that are the same are asked for once for each caller. Callers share calls, and nothing else: what one of them asks is not to be
// told from what another is answered.
//
// A call that fails with what can be the fault of a single text is cut in halves until that text is found, so that the others do not
// fail with it. Any other failure is that of all its texts.
package batch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Group is what must be the same for texts to share a call.
type Group struct {
	// Model is the model as it is known to whoever makes the calls.
	Model string
	// Dimensions, InputType and User are those of [llm.EmbedCall].
	Dimensions      int
	InputType, User string
	// Tokens says that the texts are token ids, in the form of package tokenids.
	Tokens bool
	// Truncate permits that the end of a text is dropped that is too long for the model. Without it, it is an error of that text.
	Truncate bool
	// Tells says that whoever answers tells of each text whether it was cut, as models in the process do. They are asked to cut at once;
	// of others it is known only by what they refuse.
	Tells bool
}

// Item is what became of one text.
type Item struct {
	// Vector is nil if there is an Err. Others who asked for the same text have the same one: it is not to be changed.
	Vector []float32
	// Tokens is its share of what the call used. The shares of a call add up to that. A text that several requests ask for is counted
	// to one of them, and once.
	Tokens int
	// Truncated says that the end of the text was not read.
	Truncated *events.Truncation
	// Answered is who made the vector, as [Calls] names it.
	Answered string
	// Err is why there is no vector: a [llm.Fault], or an [events.Error].
	Err error
}

// Calls makes the calls. It is safe for concurrent use.
type Calls interface {
	// Limits says what one call of a group may hold. It is asked at every request, and so is expected to know.
	Limits(ctx context.Context, g Group) llm.EmbedLimits
	// Call returns a vector for each text, and who made them. An error says by its [llm.Class] whose fault it is. The context ends
	// when nobody waits for the answer any longer; its deadline is that of the last who does, and moves when others come to wait.
	Call(ctx context.Context, g Group, texts []string, truncate bool) (*llm.Embedded, string, error)
}

// Options are how patient a [Batcher] is. The zero value of a field is its default.
type Options struct {
	// Window is how long a text waits at the most for others, while calls of its group are in flight; default 5ms. Below 0: not at all.
	Window time.Duration
	// InFlight is the number of calls of one group at the same time; default 8.
	InFlight int
	// Queued is the number of texts that may wait, of all groups together; default 65,536. Requests beyond it are refused.
	Queued int
	// GenAI records attempts: it is told whose texts a call carries. Nil: nobody is.
	GenAI *genai.Recorder
	// Logger hears of panics in [Calls]; nil: nobody does.
	Logger *slog.Logger
}

// Defaults of [Options], and what is used where nobody tells.
const (
	defaultWindow   = 5 * time.Millisecond
	defaultInFlight = 8
	defaultQueued   = 65_536
	// unknownItems is the number of texts in one call to a server that does not say how many it takes.
	unknownItems = 512
	// fullRetry is when who found the queue full is told to come again.
	fullRetry = time.Second
)

// Batcher joins and splits. It is safe for concurrent use. It needs no closing: when nobody waits, nothing is under way.
type Batcher struct {
	calls Calls
	opts  Options

	mu      sync.Mutex
	groups  map[Group]*group // that have texts waiting, or calls in flight
	waiting int              // texts of all groups
}

// New returns a batcher that makes its calls by calls.
func New(calls Calls, o Options) *Batcher {
	if o.Window == 0 {
		o.Window = defaultWindow
	}
	if o.InFlight <= 0 {
		o.InFlight = defaultInFlight
	}
	if o.Queued <= 0 {
		o.Queued = defaultQueued
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Batcher{calls: calls, opts: o, groups: make(map[Group]*group)}
}

// Embed returns what became of each text of a caller, in the order of the texts. The error is not nil if, and only if, ctx has ended; it
// is then an [events.Error], and what nobody else waits for is given up.
func (b *Batcher) Embed(ctx context.Context, caller string, g Group, texts []string) ([]Item, error) {
	if ctx.Err() != nil {
		return nil, events.AsError(context.Cause(ctx))
	}
	if len(texts) == 0 {
		return nil, nil
	}
	limits := b.calls.Limits(ctx, g)
	r := newRequest(ctx, caller, len(texts))
	if err := b.enter(r, g, limits, texts); err != nil {
		items := make([]Item, len(texts))
		for i := range items {
			items[i].Err = err
		}
		return items, nil
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if !b.leave(r) {
			return nil, events.AsError(context.Cause(ctx))
		}
	}
	return r.items(), nil
}

// enter has the texts of a request wait, or refuses all of them.
func (b *Batcher) enter(r *request, g Group, limits llm.EmbedLimits, texts []string) error {
	if len(texts) > b.opts.Queued {
		return events.Errorf(events.CodeInvalidArgument, "the request has %d texts; at most %d can wait here", len(texts), b.opts.Queued)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	grp := b.groups[g]
	if grp == nil {
		grp = newGroup(g)
	}
	if b.waiting+len(texts) > b.opts.Queued && b.waiting+grp.unknown(r.caller, texts) > b.opts.Queued {
		e := events.Errorf(events.CodeRateLimited, "%d texts wait to be embedded already, and %d more do not fit; try again later",
			b.waiting, len(texts))
		e.RetryAfter = fullRetry
		return e
	}
	b.groups[g] = grp
	grp.limits = limits
	r.group = grp
	before := grp.waiting
	grp.add(r, texts)
	b.waiting += grp.waiting - before
	b.launch(grp, b.opts.Window < 0)
	return nil
}

// leave gives up what a request waits for. It reports whether all of that is there already.
func (b *Batcher) leave(r *request) (answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.left == 0 {
		return true
	}
	grp := r.group
	before := grp.waiting
	grp.remove(r)
	b.waiting += grp.waiting - before
	b.tidy(grp)
	return false
}

// launch starts what calls may be started: those that are full, one if there is none, and with all also those that are not full. What
// is left waits for the end of the window.
func (b *Batcher) launch(grp *group, all bool) {
	for grp.waiting > 0 && grp.flying < b.opts.InFlight && (all || grp.flying == 0 || grp.full()) {
		c := grp.fill(&b.mu)
		b.waiting -= len(c.texts)
		grp.flying++
		go (&flight{batcher: b, group: grp, most: grp.limits.ItemTokens}).fly(c)
	}
	switch {
	case grp.waiting == 0 || all: // who still waits after all does so for a call to come back
		if grp.armed {
			grp.armed = !grp.timer.Stop()
		}
	case grp.armed:
	case grp.timer == nil:
		grp.armed = true
		grp.timer = time.AfterFunc(b.opts.Window, func() { b.due(grp) })
	default:
		grp.armed = true
		grp.timer.Reset(b.opts.Window)
	}
}

// due is the end of a window.
func (b *Batcher) due(grp *group) {
	b.mu.Lock()
	defer b.mu.Unlock()
	grp.armed = false
	b.launch(grp, true)
}

// lift takes a place for one more call in flight, if there is one.
func (b *Batcher) lift(grp *group) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if grp.flying >= b.opts.InFlight {
		return false
	}
	grp.flying++
	return true
}

// land gives the place of a call back, to those who wait.
func (b *Batcher) land(grp *group) {
	b.mu.Lock()
	defer b.mu.Unlock()
	grp.flying--
	b.launch(grp, true)
	b.tidy(grp)
}

// tidy forgets a group of which there is nothing to remember.
func (b *Batcher) tidy(grp *group) {
	if grp.waiting > 0 || grp.flying > 0 || b.groups[grp.key] != grp {
		return
	}
	delete(b.groups, grp.key)
	if grp.timer != nil {
		grp.timer.Stop()
	}
}
