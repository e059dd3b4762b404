package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What a stream did not do in time.
const (
	notBegun = "it did not begin to answer"
	notOn    = "it did not go on with its answer"
)

// maxHeld is how many chunks that say nothing are held back until one says something.
const maxHeld = 64

// stream is one attempt at an answer in pieces.
type stream struct {
	run   *run
	turn  *keyring.Turn
	ctx   context.Context // of the attempt
	watch watch
	idle  time.Duration
	held  []events.ChatChunk
	begun bool // something was passed on
	left  error
	said  said
}

// stream asks for an answer in pieces.
func (r *run) stream(ctx context.Context, a *attempts, t *keyring.Turn) (outcome, *events.ChatUsage) {
	usual := r.engine.firstToken(r)
	limit, hurried := r.limit(ctx, a.number, usual, 1.0/2)
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &stream{run: r, turn: t, ctx: asking, idle: r.engine.idle(r)}
	s.watch.cancel, s.watch.slow = cancel, r.slow
	s.watch.start(notBegun, limit)
	defer s.watch.stop()
	r.call.Alive = s.alive
	err := a.provider.adapter.Stream(asking, &r.call, s.chunk)
	s.watch.stop()
	if err == nil && !s.begun { // it says nothing, and that is all
		err = s.release()
	}
	if err == nil && s.left == nil {
		r.Response, r.Finish = s.said.response(), s.said.finish()
		return outcome{}, s.said.usage
	}
	o := s.failed(ctx, err)
	o.hurried, o.brief = hurried, r.brief(limit, usual, 1.0/2)
	return o, s.said.usage
}

// failed says how a stream has failed.
func (s *stream) failed(ctx context.Context, err error) outcome {
	o := outcome{begun: s.begun}
	switch {
	case s.left != nil:
		o.fault = &llm.Fault{Class: llm.ClassCanceled, Err: readerLeft(s.left)}
	case ctx.Err() != nil:
		o.fault = &llm.Fault{Class: llm.ClassCanceled, Err: events.AsError(context.Cause(ctx))}
	default:
		o.fault = llm.FaultIn(s.ctx, err)
	}
	if o.begun {
		partial := &PartialError{Err: o.fault.Err}
		if _, refused := errors.AsType[*events.Error](s.left); !refused { // what the reader's side refuses is not repeated to it
			partial.Partial = s.said.response()
		}
		o.err, s.run.Finish = partial, s.said.finish()
	}
	return o
}

// readerLeft is what an error of Emit says.
func readerLeft(err error) *events.Error {
	if e, ok := errors.AsType[*events.Error](err); ok {
		return e
	}
	e := events.Errorf(events.CodeCanceled, "the reader is gone")
	e.Err = err
	return e
}

// alive ends a pause; the first output it does not take the place of.
func (s *stream) alive() { s.watch.alive(notOn) }

// chunk takes one piece of the answer.
func (s *stream) chunk(c *events.ChatChunk) error {
	s.run.chat.Chunk(c)
	c.Model = s.run.Target.ID
	s.said.add(c)
	if !s.begun {
		if !speaks(c) {
			return s.hold(c)
		}
		if err := s.release(); err != nil {
			return err
		}
		s.turn.Answers(s.ctx)
	} else if !s.watch.rest() {
		return context.Cause(s.ctx)
	}
	return s.pass(c)
}

// pass gives a chunk to the reader, for whom the provider is not to be blamed.
func (s *stream) pass(c *events.ChatChunk) error {
	if err := s.run.ask.Emit(c); err != nil {
		s.left = err
		return err
	}
	s.watch.next(notOn, s.idle)
	return nil
}

// hold keeps a chunk that says nothing. One that does not even name a role or a reason is left out.
func (s *stream) hold(c *events.ChatChunk) error {
	if c.Usage == nil && !slices.ContainsFunc(c.Choices, func(ch events.ChatChunkChoice) bool { return ch.Delta.Role != "" || ch.FinishReason != nil }) {
		return nil
	}
	if len(s.held) == maxHeld {
		return &llm.Fault{Class: llm.ClassAnswer, Err: llm.BadAnswer(s.run.Target.Provider, "it goes on without saying anything")}
	}
	kept := *c
	kept.Choices = slices.Clone(c.Choices)
	for i := range kept.Choices {
		kept.Choices[i].Logprobs = slices.Clone(kept.Choices[i].Logprobs)
		kept.Choices[i].Delta.Annotations = slices.Clone(kept.Choices[i].Delta.Annotations)
		if reason := kept.Choices[i].FinishReason; reason != nil {
			text := *reason
			kept.Choices[i].FinishReason = &text
		}
	}
	if c.Usage != nil {
		usage := *c.Usage
		kept.Usage = &usage
	}
	s.held = append(s.held, kept)
	return nil
}

// release begins to pass on what is said: from here on, nobody else can be asked. It gives the reader what was held.
func (s *stream) release() error {
	if !s.watch.rest() || s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	s.begun = true
	s.run.FirstOutput = time.Since(s.run.begin)
	for i := range s.held {
		if err := s.run.ask.Emit(&s.held[i]); err != nil {
			s.left = err
			return err
		}
	}
	s.held = nil
	return nil
}

// speaks reports whether a chunk says something.
func speaks(c *events.ChatChunk) bool {
	for i := range c.Choices {
		d := &c.Choices[i].Delta
		if d.Content != "" || d.Refusal != "" || d.ReasoningContent != "" || len(d.ToolCalls) > 0 {
			return true
		}
	}
	return false
}
