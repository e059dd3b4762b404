package moral

import (
	"context"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of a window, beside its runes.
const (
	maxHeld  = 1024 // chunks; more are scored, and released, whatever they hold
	maxLanes = 1024 // texts of one answer that are followed at a time
)

// Window holds back a streamed answer until it is scored. Its Emit takes the place of another one: it keeps chunks until enough
// text has come (Config.Window runes, or the end of a sentence in the second half of that, or a finish reason), has that
// scored together with the Overlap runes before it, and releases the chunks, unchanged and in their order. Nothing at all is
// released before the first text has passed, so that a rejection right away is no broken stream.
//
// What counts as text: content, refusal, reasoning, the names and the arguments of tool calls, each of every choice as a text of its
// own; all of them are scored together. The threshold is that of the first window. Of a phrase that is longer than the overlap, the
// beginning may be out before the rest is seen.
//
// It holds at most Config.Window runes and the last chunk, and at most 1024 chunks. It is not safe for concurrent use.
type Window struct {
	filter *Filter
	ctx    context.Context //nolint:containedctx // that of one stream, as long as the Window lives
	emit   func(*events.ChatChunk) error
	off    bool

	decision // the lowest score so far
	judged   bool
	begun    bool // something was released
	closed   bool
	err      error // from now on

	held    []events.ChatChunk
	texts   texts
	pending int // runes that are not scored
}

// Window returns a Window over emit, for one stream. Without judged output, chunks pass at once.
//
// Call [Window.Close] when the answer is complete. What it still holds is dropped otherwise.
func (f *Filter) Window(ctx context.Context, s Subject, emit func(*events.ChatChunk) error) *Window {
	return &Window{
		filter: f, ctx: ctx, emit: emit, off: !f.JudgesOutput(),
		decision: decision{Subject: s, stage: events.StageCompletion, by: string(f.cfg.Scorer.Kind)},
	}
}

// Emit takes the next chunk, and copies it if it keeps it. An error is one of emit, as it is, or one of [Filter.Prompt]; then nothing
// more is released, and every later call returns it again. While the scorer is asked, Emit waits.
func (w *Window) Emit(chunk *events.ChatChunk) error {
	switch {
	case w.off:
		return w.emit(chunk)
	case w.err != nil:
		return w.err
	case w.closed:
		return errClosed
	}
	runes, ends, sentence := w.texts.add(chunk)
	w.pending += runes
	if w.pending == 0 && len(w.held) == 0 && (w.begun || ends) {
		w.begun = true
		return w.fail(w.emit(chunk))
	}
	w.held = append(w.held, clone(chunk))
	size := w.filter.cfg.Window
	due := ends || w.pending >= size || sentence && w.pending >= size/2 || len(w.held) >= maxHeld
	if !due && (w.pending > 0 || !w.begun) {
		return nil
	}
	return w.flush()
}

// Close scores and releases what is held, and tells of the decision. Call it once, after the last Emit.
func (w *Window) Close() error {
	switch {
	case w.off:
		return nil
	case w.err != nil:
		return w.err
	case w.closed:
		return errClosed
	}
	w.closed = true
	if err := w.flush(); err != nil {
		return err
	}
	if !w.judged {
		return nil
	}
	w.filter.shared.note(true)
	return w.fail(w.filter.tell(w.ctx, &w.decision, true))
}

// Reset forgets an answer of which nothing was released, so that another one can take its place. It reports whether it could.
func (w *Window) Reset() bool {
	if w.off || w.begun || w.closed || w.err != nil {
		return false
	}
	w.held, w.texts, w.pending, w.judged, w.verdict = nil, texts{}, 0, false, verdict{}
	return true
}

var errClosed = errors.New("moral: the window is closed")

// fail keeps an error.
func (w *Window) fail(err error) error {
	if err != nil {
		w.err = err
		w.held, w.texts = nil, texts{}
	}
	return err
}

// flush has scored what is pending, and releases what is held.
func (w *Window) flush() error {
	if w.pending > 0 {
		if err := w.fail(w.score()); err != nil {
			return err
		}
		w.pending = 0
	}
	for i := range w.held {
		w.begun = true
		if err := w.fail(w.emit(&w.held[i])); err != nil {
			return err
		}
	}
	clear(w.held)
	w.held = w.held[:0]
	return nil
}

// score judges the text that has come since the last time.
func (w *Window) score() error {
	d := w.decision
	d.text = w.texts.take(w.filter.cfg.Overlap)
	judged, err := w.filter.ask(w.ctx, &d)
	if !judged {
		return err
	}
	if !w.judged {
		state, _ := w.filter.shared.state()
		d.threshold = state.Threshold
	}
	if !w.filter.shared.policy.accepts(d.score, d.threshold) {
		w.filter.shared.note(false)
		return w.filter.tell(w.ctx, &d, false)
	}
	if !w.judged || d.score < w.decision.score {
		w.decision = d
	}
	w.judged = true
	return nil
}
