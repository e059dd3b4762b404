package cohere

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/sse"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxAfter is how many events are read after the end of an answer to see the end of the body: some servers say [DONE].
const maxAfter = 2

// Stream implements [llm.Adapter].
func (c *Client) Stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	body, err := c.body(call, true)
	if err != nil {
		return err
	}
	res, err := c.server.Do(ctx, wire.Request{Path: pathChat, Body: body, Accept: wire.TypeEventStream, Key: call.Key})
	if err != nil {
		return err
	}
	defer func() {
		// An error here says nothing that reading did not say; what is left of a stream that failed is not waited for.
		_ = res.Body.Close()
	}()
	reader, s := sse.NewReader(res.Body), stream{c: c, emit: emit}
	s.chunk.Model, reader.Comment = call.Model, call.Alive
	for {
		next, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return c.server.BrokeOff("the stream ended before the answer did")
		case errors.Is(err, sse.ErrTooLarge):
			return c.server.Bad("%w", err)
		case err != nil:
			return c.server.Broke(ctx, err)
		}
		emitted := s.emitted
		if err := s.event(next.Data); err != nil {
			return err
		}
		if s.done {
			// The answer is complete whatever comes now. Only when the end of the body was seen, an HTTP/1 connection can be used again.
			for i := 0; i < maxAfter && res.ProtoMajor < 2 && err == nil; i++ {
				_, err = reader.Next()
			}
			return nil
		}
		if s.emitted == emitted && call.Alive != nil {
			call.Alive()
		}
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

	started, done bool
	calls         []open
	ids           native.Calls
}

// open is one call of a stream.
type open struct {
	index    int  // the server's number of it
	argued   bool // a piece of its arguments came
	complete bool
}

// event takes one event.
func (s *stream) event(data []byte) error {
	var e event
	if err := s.c.server.Decode(data, &e); err != nil {
		return err
	}
	switch e.Type {
	case "message-start":
		return s.start(e.ID)
	case "content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end", "message-end":
		if !s.started {
			return s.c.server.Bad("the stream has an event %s before its start", e.Type)
		}
	case "", "error":
		if e.Message.Text != "" { // as the body of an error
			return s.c.failed(http.StatusServiceUnavailable, e.Message.Text)
		}
		return nil
	default: // content-end, citations, debug, and what is new, which is to be passed over
		return nil
	}
	m := &e.Delta.Value.Message.Value
	if m.Content.Other || m.ToolCalls.Other {
		return s.c.server.Bad("the stream has an event %s with a list where the protocol has an object", e.Type)
	}
	switch e.Type {
	case "content-start":
		if p := &m.Content.Value; p.Type != "" && p.Type != typeText && p.Type != typeThinking {
			return s.c.unknownPart(p.Type)
		}
		return s.speak(m)
	case "content-delta":
		return s.speak(m)
	case "tool-plan-delta":
		return s.think(m.ToolPlan)
	case "tool-call-start":
		return s.open(e.Index, &m.ToolCalls)
	case "message-end":
		return s.end(&e.Delta.Value)
	default:
		return s.piece(&e, m.ToolCalls.Value.Function.Arguments)
	}
}

// start takes the start of the answer.
func (s *stream) start(id string) error {
	if s.started {
		return s.c.server.Bad("the stream starts twice")
	}
	s.started = true
	s.chunk.ID, s.chunk.Object, s.chunk.Created = id, events.ObjectChatCompletionChunk, time.Now().Unix()
	return nil
}

// speak takes a piece of what the model thinks or says.
func (s *stream) speak(m *piece) error {
	if err := s.think(m.Content.Value.Thinking); err != nil {
		return err
	}
	if m.Content.Value.Text == "" {
		return nil
	}
	return s.say(events.ChatDelta{Content: m.Content.Value.Text}, nil)
}

// think emits a piece of what the model thinks.
func (s *stream) think(thought string) error {
	if thought == "" {
		return nil
	}
	return s.say(events.ChatDelta{ReasoningContent: thought}, nil)
}

// open takes the start of a call.
func (s *stream) open(index int, begun *object[call]) error {
	if !begun.Given {
		return s.c.server.Bad("the stream starts a call without saying which")
	}
	for i := range s.calls {
		if s.calls[i].index == index && !s.calls[i].complete {
			return s.c.server.Bad("the stream starts call %d while it is open", index)
		}
	}
	if err := s.c.checkCall(&begun.Value, &s.ids); err != nil {
		return err
	}
	f := begun.Value.Function
	s.calls = append(s.calls, open{index: index, argued: f.Arguments != ""})
	return s.tool(len(s.calls)-1, events.ToolCall{
		ID: begun.Value.ID, Type: "function", Function: events.ToolFunction{Name: f.Name, Arguments: f.Arguments},
	})
}

// piece takes a piece of a call's arguments, or the end of a call.
func (s *stream) piece(e *event, arguments string) error {
	for i := range s.calls {
		call := &s.calls[i]
		if call.index != e.Index || call.complete {
			continue
		}
		if e.Type == "tool-call-end" {
			call.complete = true
			return s.complete(i)
		}
		if arguments == "" {
			return nil
		}
		call.argued = true
		return s.tool(i, events.ToolCall{Function: events.ToolFunction{Arguments: arguments}})
	}
	return s.c.server.Bad("the stream has an event %s for call %d, which is not open", e.Type, e.Index)
}

// complete writes the arguments of a call of which no piece came: it has none.
func (s *stream) complete(i int) error {
	if s.calls[i].argued {
		return nil
	}
	s.calls[i].argued = true
	return s.tool(i, events.ToolCall{Function: events.ToolFunction{Arguments: "{}"}})
}

// end takes the end of the answer.
func (s *stream) end(d *delta) error {
	if d.FinishReason == "" && d.Error != "" {
		d.FinishReason = "ERROR"
	}
	used := d.Usage.chat()
	reason, err := s.c.finish(d.FinishReason, d.Error, len(s.calls))
	if err != nil {
		_ = s.count(used) // what ends the stream is err, whether the reader is still there or not
		return err
	}
	for i := range s.calls {
		if reason == events.FinishLength { // what was cut off is not made up
			break
		}
		if err := s.complete(i); err != nil {
			return err
		}
	}
	if err := s.say(events.ChatDelta{}, &reason); err != nil {
		return err
	}
	s.done = true
	return s.count(used)
}

// count emits what was used, if it is known.
func (s *stream) count(used *events.ChatUsage) error {
	if used == nil {
		return nil
	}
	s.chunk.Choices, s.chunk.Usage = []events.ChatChunkChoice{}, used
	return s.emit(&s.chunk)
}

// tool emits a piece of a call.
func (s *stream) tool(place int, piece events.ToolCall) error {
	s.place = place
	piece.Index = &s.place
	s.call[0] = piece
	return s.say(events.ChatDelta{ToolCalls: s.call[:]}, nil)
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
