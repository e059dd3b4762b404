package ollama

import (
	"bufio"
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Stream implements [llm.Adapter].
func (c *Client) Stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	body, err := c.body(call, true)
	if err != nil {
		return err
	}
	res, err := c.server.Do(ctx, wire.Request{Path: pathChat, Body: body, Accept: wire.TypeNDJSON, Key: call.Key})
	if err != nil {
		return hint(err, call.Model)
	}
	defer func() {
		// An error here says nothing that reading did not say; what is left of a stream that failed is not waited for.
		_ = res.Body.Close()
	}()
	list := newLines(res.Body)
	s := stream{c: c, emit: emit, chunk: events.ChatChunk{ID: newID(), Object: events.ObjectChatCompletionChunk, Created: time.Now().Unix()}}
	for {
		line, ok := list.next()
		if !ok {
			return c.ended(ctx, list.Err())
		}
		var got answer
		if err := c.server.Decode(line, &got); err != nil {
			if !list.whole { // it was cut off, or is not for us
				return c.ended(ctx, list.Err())
			}
			return err
		}
		if s.chunk.Model == "" {
			s.chunk.Model = model(&got, call)
		}
		emitted := s.emitted
		if err := s.line(&got); err != nil {
			return err
		}
		if got.Done {
			if res.ProtoMajor < 2 {
				// The answer is complete whatever comes now. Only when the end of the body was seen, the connection can be used again.
				list.next()
			}
			return nil
		}
		if s.emitted == emitted && call.Alive != nil {
			call.Alive()
		}
	}
}

// ended is the fault of a stream of which no more can be read.
func (c *Client) ended(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return c.server.Bad("a line is longer than %d MiB", maxLine>>20)
	case err != nil:
		return c.server.Broke(ctx, err)
	default:
		return c.server.BrokeOff("the stream ended before the answer did")
	}
}

// stream follows one stream.
type stream struct {
	c       *Client
	emit    func(*events.ChatChunk) error
	emitted int // how many chunks were emitted
	chunk   events.ChatChunk
	choice  [1]events.ChatChunkChoice
	call    [1]events.ToolCall
	place   int // of the call, which points here
	ids     native.Calls
}

// line takes one line.
func (s *stream) line(got *answer) error {
	switch {
	case native.Given(got.Error):
		return s.c.inBand(got.Error)
	case got.Message != nil:
		if err := s.speak(got.Message); err != nil {
			return err
		}
	case !got.Done:
		return s.c.server.Bad("a line has no message")
	}
	if !got.Done {
		return nil
	}
	reason, err := s.c.finish(got.DoneReason, len(s.ids))
	if err != nil {
		return err
	}
	if err := s.say(events.ChatDelta{}, &reason); err != nil {
		return err
	}
	if s.chunk.Usage = got.usage(); s.chunk.Usage == nil {
		return nil
	}
	s.chunk.Choices = []events.ChatChunkChoice{}
	return s.emit(&s.chunk)
}

// speak takes a piece of what the model thinks, says and does. Calls come whole.
func (s *stream) speak(m *message) error {
	if m.Thinking != "" || m.Content != "" {
		if err := s.say(events.ChatDelta{Content: m.Content, ReasoningContent: m.Thinking}, nil); err != nil {
			return err
		}
	}
	for i := range m.ToolCalls {
		s.place = len(s.ids)
		made, err := s.c.call(&m.ToolCalls[i], &s.ids)
		if err != nil {
			return err
		}
		made.Index = &s.place
		s.call[0] = made
		if err := s.say(events.ChatDelta{ToolCalls: s.call[:]}, nil); err != nil {
			return err
		}
	}
	return nil
}

// say emits a chunk; the first names the role.
func (s *stream) say(d events.ChatDelta, finish *string) error {
	if s.emitted == 0 {
		d.Role = events.RoleAssistant
	}
	s.emitted++
	s.choice[0] = events.ChatChunkChoice{Delta: d, FinishReason: finish}
	s.chunk.Choices = s.choice[:]
	return s.emit(&s.chunk)
}
