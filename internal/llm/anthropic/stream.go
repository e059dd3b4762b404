package anthropic

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/sse"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Stream implements [llm.Adapter].
func (c *Client) Stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	body, err := c.body(call, true)
	if err != nil {
		return err
	}
	res, err := c.server.Do(ctx, wire.Request{
		Path: pathMessages, Body: body, Accept: wire.TypeEventStream, Key: call.Key, Auth: auth, Header: c.header,
	})
	if err != nil {
		return err
	}
	defer func() {
		// An error here says nothing that reading did not say; what is left of a stream that failed is not waited for.
		_ = res.Body.Close()
	}()
	reader, s := sse.NewReader(res.Body), stream{c: c, emit: emit}
	reader.Comment = call.Alive
	if err := s.read(ctx, reader, call.Alive); err != nil {
		return s.failed(err)
	}
	if res.ProtoMajor < 2 {
		// The answer is complete whatever comes now. Only when the end of the body was seen, the connection can be used again.
		_, _ = reader.Next()
	}
	return nil
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
	left          bool // emit has failed
	blocks        []open
	ids           native.Calls
	kept          int // bytes of arguments that are kept
	stop, refusal string
	usage         *usage
}

// Bounds on what is remembered of a stream.
const (
	// maxBlocks is how many blocks it may have.
	maxBlocks = 16 << 10
	// maxKept is how many bytes of arguments may come at the starts of calls.
	maxKept = 8 << 20
)

// open is one block of a stream.
type open struct {
	kind   string
	closed bool
	call   int    // which call it is
	input  string // the call's arguments, should no piece of them come
}

// read reads the stream until the answer is complete.
func (s *stream) read(ctx context.Context, reader *sse.Reader, alive func()) error {
	for !s.done {
		event, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return s.c.server.BrokeOff("the stream ended before the answer did")
		case errors.Is(err, sse.ErrTooLarge):
			return s.c.server.Bad("%w", err)
		case err != nil:
			return s.c.server.Broke(ctx, err)
		}
		emitted := s.emitted
		if err := s.event(event.Data); err != nil {
			return err
		}
		if s.emitted == emitted && alive != nil {
			alive()
		}
	}
	return nil
}

// failed tells what a stream that broke off has used, as far as the server said: the prompt is counted at the start, and is paid for.
func (s *stream) failed(err error) error {
	if s.usage == nil || s.left {
		return err
	}
	_ = s.count() // what ends the stream is err, whether the reader is still there or not
	return err
}

// event is one event of a stream; what belongs to other types is empty.
type event struct {
	Type    string  `json:"type"`
	Message *answer `json:"message"`
	Index   int     `json:"index"`
	Block   *said   `json:"content_block"`
	Delta   struct {
		Type        string       `json:"type"`
		Text        string       `json:"text"`
		Thinking    string       `json:"thinking"`
		PartialJSON string       `json:"partial_json"`
		StopReason  string       `json:"stop_reason"`
		StopDetails *stopDetails `json:"stop_details"`
	} `json:"delta"`
	Usage *usage `json:"usage"`
}

// event takes one event.
func (s *stream) event(data []byte) error {
	var e event
	if err := s.c.server.Decode(data, &e); err != nil {
		return err
	}
	switch e.Type {
	case "error":
		return s.c.server.InBand(data)
	case "message_start":
		return s.start(e.Message)
	case "ping":
		return nil
	case "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop":
		if !s.started {
			return s.c.server.Bad("the stream has an event %s before its start", e.Type)
		}
	default: // the protocol may get new types of events, which are to be passed over
		return nil
	}
	switch e.Type {
	case "content_block_start":
		return s.open(e.Index, e.Block)
	case "message_delta":
		return s.delta(&e)
	case "message_stop":
		return s.end()
	}
	if e.Index < 0 || e.Index >= len(s.blocks) || s.blocks[e.Index].closed {
		return s.c.server.Bad("the stream has an event %s for block %d, which is not open", e.Type, e.Index)
	}
	if e.Type == "content_block_stop" {
		return s.close(&s.blocks[e.Index])
	}
	return s.piece(&s.blocks[e.Index], &e)
}

// start takes the start of the answer.
func (s *stream) start(m *answer) error {
	switch {
	case s.started:
		return s.c.server.Bad("the stream starts twice")
	case m == nil:
		return s.c.server.Bad("the stream starts without a message")
	}
	if err := s.c.isMessage(m); err != nil {
		return err
	}
	s.started, s.usage = true, m.Usage
	s.chunk = events.ChatChunk{ID: m.ID, Object: events.ObjectChatCompletionChunk, Created: time.Now().Unix(), Model: m.Model}
	return nil
}

// open takes the start of a block.
func (s *stream) open(index int, b *said) error {
	switch {
	case b == nil:
		return s.c.server.Bad("the stream starts a block without saying which")
	case index == maxBlocks:
		return s.c.server.Bad("the stream has more than %d blocks", maxBlocks)
	case index != len(s.blocks):
		return s.c.server.Bad("the stream starts block %d as its block %d", index, len(s.blocks))
	}
	next := open{kind: b.Type}
	switch b.Type {
	case blockText:
		s.blocks = append(s.blocks, next)
		return s.text(b.Text)
	case blockThinking, blockRedactedThinking:
		s.blocks = append(s.blocks, next)
		return s.think(b.Thinking)
	case blockToolUse:
	default:
		return s.c.unknownBlock(b.Type)
	}
	next.call, next.input = len(s.ids), "{}"
	if err := s.c.checkCall(b, &s.ids); err != nil {
		return err
	}
	if input, ok := native.Object(b.Input); ok {
		next.input = input
	}
	if s.kept += len(next.input); s.kept > maxKept {
		return s.c.server.Bad("the stream starts with more than %d MiB of arguments", maxKept>>20)
	}
	s.blocks = append(s.blocks, next)
	return s.calls(next.call, events.ToolCall{ID: b.ID, Type: "function", Function: events.ToolFunction{Name: b.Name}})
}

// piece takes a piece of a block.
func (s *stream) piece(b *open, e *event) error {
	switch e.Delta.Type {
	case "text_delta":
		if b.kind != blockText {
			break
		}
		return s.text(e.Delta.Text)
	case "input_json_delta":
		if b.kind != blockToolUse {
			break
		}
		if e.Delta.PartialJSON == "" {
			return nil
		}
		b.input = ""
		return s.calls(b.call, events.ToolCall{Function: events.ToolFunction{Arguments: e.Delta.PartialJSON}})
	case "thinking_delta":
		if b.kind != blockThinking {
			break
		}
		return s.think(e.Delta.Thinking)
	case "signature_delta", "citations_delta":
		return nil
	}
	return s.c.server.Bad("the stream has a piece of type %q in a block of type %s", s.c.server.Clean(e.Delta.Type, 40), b.kind)
}

// close takes the end of a block. A call without arguments has had no piece of them.
func (s *stream) close(b *open) error {
	b.closed = true
	if b.input == "" {
		return nil
	}
	return s.calls(b.call, events.ToolCall{Function: events.ToolFunction{Arguments: b.input}})
}

// delta takes what is known when the answer is complete.
func (s *stream) delta(e *event) error {
	if e.Delta.StopReason != "" {
		s.stop = e.Delta.StopReason
	}
	if s.stop == stopRefusal {
		s.refusal = e.Delta.StopDetails.refusal()
	}
	switch {
	case e.Usage == nil:
	case s.usage == nil:
		s.usage = e.Usage
	default:
		s.usage.update(e.Usage)
	}
	return nil
}

// end takes the end of the answer.
func (s *stream) end() error {
	reason, err := s.c.finish(s.stop, len(s.ids))
	if err != nil {
		return err
	}
	if s.usage != nil {
		s.chunk.ServiceTier = s.usage.ServiceTier
	}
	if err := s.say(events.ChatDelta{Refusal: s.refusal}, &reason); err != nil {
		return err
	}
	s.done = true
	if s.usage == nil {
		return nil
	}
	return s.count()
}

// count emits what was used.
func (s *stream) count() error {
	s.chunk.Choices, s.chunk.Usage = []events.ChatChunkChoice{}, s.usage.chat()
	return s.hand()
}

// think emits a piece of what the model thinks.
func (s *stream) think(thought string) error {
	if thought == "" {
		return nil
	}
	return s.say(events.ChatDelta{ReasoningContent: thought}, nil)
}

// text emits a piece of the text.
func (s *stream) text(text string) error {
	if text == "" {
		return nil
	}
	return s.say(events.ChatDelta{Content: text}, nil)
}

// calls emits a piece of a call.
func (s *stream) calls(place int, piece events.ToolCall) error {
	s.place = place
	piece.Index = &s.place
	s.call[0] = piece
	return s.say(events.ChatDelta{ToolCalls: s.call[:]}, nil)
}

// say emits a chunk; the first names the role.
func (s *stream) say(delta events.ChatDelta, finish *string) error {
	if s.emitted == 0 {
		delta.Role = events.RoleAssistant
	}
	s.emitted++
	s.choice[0] = events.ChatChunkChoice{Delta: delta, FinishReason: finish}
	s.chunk.Choices = s.choice[:]
	return s.hand()
}

// hand gives the chunk away.
func (s *stream) hand() error {
	err := s.emit(&s.chunk)
	s.left = err != nil
	return err
}
