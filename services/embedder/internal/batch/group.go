package batch

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
)

// group is the texts of one [Group] that wait or are in flight. The batcher's lock guards it, and all that it holds.
type group struct {
	key    Group
	limits llm.EmbedLimits
	texts  map[wanted]*text
	// turns are the requests that have texts waiting, the next first.
	turns *list.List
	// waiting and tokens count the texts that wait.
	waiting, tokens int
	// flying counts the calls in flight.
	flying int
	// timer ends the window; armed says that it runs.
	timer *time.Timer
	armed bool
}

// wanted is a text of a caller. That another has asked for the same is nobody's business: it would be told by what it costs.
type wanted struct{ caller, text string }

// text is one that somebody waits for.
type text struct {
	wanted

	size int // guessed, in tokens
	// waiters are the requests that want it, in the order in which they came, some of which may be gone; live counts those that are not.
	waiters []*request
	live    int
	// place is where it stands among the texts of the last waiter.
	place int
	// call is the one it is in, or was last; nil while it waits.
	call *call
	done bool
	item Item
	// payer is whom its tokens are counted to.
	payer *request
}

// request is one call of Embed.
type request struct {
	ctx    context.Context //nolint:containedctx // whose values go with the calls that are made for it
	caller string
	group  *group
	// texts are those of the request, each once; places says for each input which of them it is.
	texts  []*text
	places []int32
	// pending are those of texts that were not seen yet when it was the request's turn.
	pending []*text
	turn    *list.Element // nil: it has none
	left    int           // texts that are not done
	done    chan struct{}
	gone    bool
}

func newGroup(key Group) *group {
	return &group{key: key, texts: make(map[wanted]*text), turns: list.New()}
}

func newRequest(ctx context.Context, caller string, n int) *request {
	return &request{ctx: ctx, caller: caller, texts: make([]*text, 0, n), places: make([]int32, n), done: make(chan struct{})}
}

// items puts together what became of the texts, which are all done.
func (r *request) items() []Item {
	items := make([]Item, len(r.places))
	next := int32(0)
	for i, place := range r.places {
		t := r.texts[place]
		items[i] = t.item
		if t.payer != r || place != next { // others have brought it, or it stood further up already
			items[i].Tokens = 0
		}
		if place == next {
			next++
		}
	}
	return items
}

// guess is how many tokens a text may have. Ordinary text has one for 4 bytes or so, dense scripts one for 3. Token ids are counted.
func guess(text string) int {
	if n, counted := tokenids.Count(text); counted {
		return n
	}
	return (len(text) + 2) / 3
}

// unknown counts the texts that would have to wait.
func (g *group) unknown(caller string, texts []string) int {
	n := 0
	for _, t := range texts {
		if g.texts[wanted{caller, t}] == nil {
			n++
		}
	}
	return n
}

// add has a request wait for its texts.
func (g *group) add(r *request, texts []string) {
	room := make([]text, len(texts)) // of the new ones; made at once, since they are done at about the same time
	firsts := make([]*request, len(texts))
	for i, s := range texts {
		want := wanted{r.caller, s}
		t := g.texts[want]
		if t == nil {
			t, room = &room[0], room[1:]
			t.wanted, t.size, t.waiters = want, guess(s), firsts[i:i:i+1]
			g.texts[want] = t
			g.waiting++
			g.tokens += t.size
		}
		if n := len(t.waiters); n == 0 || t.waiters[n-1] != r {
			t.join(r)
			t.place = len(r.texts)
			r.texts = append(r.texts, t)
		}
		r.places[i] = int32(t.place) //nolint:gosec // far fewer texts may wait
	}
	r.left, r.pending = len(r.texts), r.texts
	r.turn = g.turns.PushBack(r)
}

// join has a request wait for a text that may be in flight.
func (t *text) join(r *request) {
	if t.call != nil {
		if t.live == 0 {
			t.call.live++
		}
		t.call.extend(r)
	}
	t.waiters = append(t.waiters, r)
	t.live++
}

// remove takes a request out that is not answered. Calls that nobody else waits for are ended.
func (g *group) remove(r *request) {
	r.gone = true
	if r.turn != nil {
		g.turns.Remove(r.turn)
		r.turn = nil
	}
	for _, t := range r.texts {
		if t.done {
			continue
		}
		t.live--
		switch {
		case t.live > 0:
			if len(t.waiters) > 2*t.live+8 {
				t.waiters = slices.DeleteFunc(t.waiters, func(w *request) bool { return w.gone })
			}
		case t.call == nil:
			g.forget(t)
			g.waiting--
			g.tokens -= t.size
		default:
			if t.call.live--; t.call.live == 0 {
				t.call.abandon(g)
			}
		}
	}
	r.texts, r.pending = nil, nil
}

// forget has the next who wants the same text ask anew.
func (g *group) forget(t *text) {
	if g.texts[t.wanted] == t {
		delete(g.texts, t.wanted)
	}
}

// items is how many texts one call may hold.
func (g *group) items() int {
	if g.limits.Items > 0 {
		return g.limits.Items
	}
	return unknownItems
}

// full reports whether what waits fills a call.
func (g *group) full() bool {
	return g.waiting >= g.items() || g.limits.Tokens > 0 && g.tokens >= g.limits.Tokens
}

// fill takes the texts of one call out of those that wait, one of each request in turn.
func (g *group) fill(mu *sync.Mutex) *call {
	most, sum := min(g.items(), g.waiting), 0
	var c *call
	for c == nil || len(c.texts) < most {
		turn := g.turns.Front()
		r := turn.Value.(*request) //nolint:errcheck,forcetypeassert // there is nothing else in it
		t := r.next()
		if t == nil {
			g.turns.Remove(turn)
			r.turn = nil
			continue
		}
		if c == nil {
			c = newCall(context.WithoutCancel(r.ctx), mu, most)
		}
		if g.limits.Tokens > 0 && len(c.texts) > 0 && sum+t.size > g.limits.Tokens {
			break
		}
		sum += t.size
		c.take(t)
		g.turns.MoveToBack(turn)
	}
	g.waiting -= len(c.texts)
	g.tokens -= sum
	return c
}

// next is the first text of the request that still waits, or nil.
func (r *request) next() *text {
	for len(r.pending) > 0 && (r.pending[0].call != nil || r.pending[0].done) {
		r.pending = r.pending[1:]
	}
	if len(r.pending) == 0 {
		return nil
	}
	return r.pending[0]
}
