package batch

import (
	"context"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// flight is a call and what follows from it: if it fails, calls for parts of its texts.
type flight struct {
	batcher *Batcher
	group   *group
	base    context.Context //nolint:containedctx // whose values go with all its calls
	// most is how many tokens of a text the model reads; 0 when that is not known.
	most int
	// unsure says that it was not to be seen once which texts were cut.
	unsure bool
	// texts says that failures are those of single texts: not all of them have failed.
	texts bool
	// whole is the fault of the request, if it is wrong whatever its texts are.
	whole *llm.Fault
}

// fly makes the call. Whatever happens, whoever waits for its texts hears of it.
func (f *flight) fly(c *call) {
	f.base = c.base
	defer f.batcher.land(f.group)
	defer func() { f.fail(c.texts, lost()) }() // those that are done already are not concerned
	if fault := f.make(c, false); fault != nil {
		f.failed(c.texts, fault)
	}
}

// try makes a call for some texts. It returns nil when it has answered, or nobody waits for them.
func (f *flight) try(texts []*text, again bool) *llm.Fault {
	c := f.batcher.part(f.base, f.group, texts)
	if c == nil {
		return nil
	}
	return f.make(c, again)
}

// make makes a call. again says that its texts were refused as too long, and are to be cut.
func (f *flight) make(c *call, again bool) *llm.Fault {
	key := &f.group.key
	embedded, answered, fault := f.batcher.ask(c, *key, again || key.Truncate && key.Tells)
	if fault != nil {
		return fault
	}
	used := 0 // of each text that was cut
	if again {
		var seen bool
		if used, seen = f.seen(c, embedded); !seen {
			return f.notSeen()
		}
	}
	parts := shares(embedded.PromptTokens, embedded, c.texts, again)
	f.batcher.mu.Lock()
	defer f.batcher.mu.Unlock()
	for i, t := range c.texts {
		item := Item{Vector: embedded.Vectors[i], Tokens: parts[i], Answered: answered}
		cut, was := embedded.Truncated[i]
		if again && !was {
			cut, was = events.Truncation{Used: used}, true
		}
		switch {
		case was && !key.Truncate:
			item.Vector, item.Err = nil, events.Errorf(events.CodeInvalidArgument,
				"the text is too long for the model, which reads %d tokens of it; shorten it, or permit that its end is dropped", cut.Used)
		case was:
			item.Truncated = &events.Truncation{Tokens: cut.Tokens, Used: cut.Used}
		}
		f.group.finish(t, &item)
	}
	return nil
}

// fail gives texts up.
func (f *flight) fail(texts []*text, fault *llm.Fault) {
	fault = discreet(texts, fault)
	f.batcher.mu.Lock()
	defer f.batcher.mu.Unlock()
	for _, t := range texts {
		f.group.finish(t, &Item{Err: fault})
	}
}

// finish tells those who wait for a text what became of it.
func (g *group) finish(t *text, item *Item) {
	if t.done {
		return
	}
	t.done, t.item = true, *item
	g.forget(t)
	for _, w := range t.waiters {
		if w.gone {
			continue
		}
		if t.payer == nil {
			t.payer = w
		}
		if w.left--; w.left == 0 {
			close(w.done)
			if w.turn != nil {
				g.turns.Remove(w.turn)
				w.turn = nil
			}
		}
	}
	t.waiters = nil
}

// failed decides what follows when a call for texts has failed.
func (f *flight) failed(texts []*text, fault *llm.Fault) {
	switch {
	case f.whole != nil:
		f.fail(texts, f.whole)
	case !divides(fault):
		f.fail(texts, fault)
	case tooLong(fault) && f.cuts(texts):
		if fault = f.try(texts, true); fault == nil {
			return
		}
		if len(texts) > 1 && divides(fault) {
			f.divide(texts, fault)
			return
		}
		f.fail(texts, fault)
	case len(texts) == 1:
		f.fail(texts, fault)
	default:
		f.divide(texts, fault)
	}
}

// divide looks for the texts of which a fault is, in both halves.
func (f *flight) divide(texts []*text, fault *llm.Fault) {
	middle := len(texts) / 2
	if tooLong(fault) { // the longest are to be together, so that many of them do not cost many calls more than one
		texts = slices.Clone(texts)
		slices.SortStableFunc(texts, func(a, b *text) int { return len(a.text) - len(b.text) })
		if at := slices.IndexFunc(texts, f.long); at > 0 {
			middle = at
		}
	}
	first, second := texts[:middle], texts[middle:]
	inFirst, inSecond := f.both(first, second)
	if inFirst == nil || inSecond == nil {
		f.texts = true
	} else if alike(inFirst, fault) && alike(inSecond, fault) && f.wrong(texts, fault) {
		f.whole = common(texts, fault, inFirst, inSecond)
	}
	if inFirst != nil {
		f.failed(first, inFirst)
	}
	if inSecond != nil {
		f.failed(second, inSecond)
	}
}

// both makes a call for each half, at the same time if one more may be in flight.
func (f *flight) both(first, second []*text) (inFirst, inSecond *llm.Fault) {
	if !f.batcher.lift(f.group) {
		return f.try(first, false), f.try(second, false)
	}
	result := make(chan *llm.Fault, 1)
	go func() {
		fault := lost()
		defer func() { result <- fault }()
		defer f.batcher.land(f.group)
		fault = f.try(second, false)
	}()
	inFirst = f.try(first, false)
	return inFirst, <-result
}

// probes is how many single texts must fail for a request to be found wrong as a whole.
const probes = 6

// wrong reports whether the request is wrong whatever its texts are: a model that takes no dimensions refuses every half of every half.
// That is so if some texts of those that have failed together fail alone, too, all in the same way. The first texts of a call are those
// of different requests; the others are taken from everywhere. What the single calls say of their texts stands, so that none is in vain.
func (f *flight) wrong(texts []*text, fault *llm.Fault) bool {
	if f.texts || len(texts) <= probes+2 || fault.Class != llm.ClassCaller && fault.Class != llm.ClassAnswer {
		return false
	}
	f.texts = true // unless this shows that they are not; it is looked for once
	for i := range probes {
		at := i
		if i >= probes/2 {
			at = len(texts) * i / probes
		}
		single := f.try(texts[at:at+1], false)
		if single != nil {
			f.failed(texts[at:at+1], single)
		}
		if single == nil || !alike(single, fault) {
			return false
		}
	}
	return true
}

// divides reports whether a fault can be that of a single text.
func divides(f *llm.Fault) bool {
	return f.Class == llm.ClassCaller || f.Class == llm.ClassContent || f.Class == llm.ClassAnswer || tooLong(f)
}

// tooLong reports whether a fault is that of a text that is longer than the model reads.
func tooLong(f *llm.Fault) bool {
	return f.Class == llm.ClassUnsupported && f.Err.Code == events.CodeInvalidArgument
}

// alike reports whether two faults are the same, but for numbers in what is said of them, such as the id of a request. What is said of
// an answer is different for each.
func alike(a, b *llm.Fault) bool {
	return a.Class == b.Class && a.Err.Code == b.Err.Code && (a.Class == llm.ClassAnswer || words(a.Err.Message) == words(b.Err.Message))
}

// words is a message without the words that have a digit.
func words(message string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(message), func(word string) bool {
		return strings.ContainsAny(word, "0123456789")
	}), " ")
}
