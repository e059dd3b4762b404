package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/sse"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Stream implements [llm.Streamer]. A failed stream is started again only as long as nothing of it was handed out.
func (c *Client) Stream(ctx context.Context, req *events.ChatRequest, emit func(events.ChatChunk) error) error {
	body, err := c.chatBody(req, true)
	if err != nil {
		return err
	}
	started := false
	var final error
	err = c.cfg.Attempts.Do(ctx, func(ctx context.Context) error {
		err := c.stream(ctx, body, func(chunk events.ChatChunk) error {
			started = true
			return emit(chunk)
		})
		if started { // repeating it would hand out its beginning twice: this error is final
			final = err
			return nil
		}
		return err
	})
	if final != nil {
		return final
	}
	return err
}

// stream makes one request and reads its answer.
func (c *Client) stream(ctx context.Context, body []byte, emit func(events.ChatChunk) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := watchdog{cancel: cancel, provider: c.cfg.Provider}
	watch.start(c.cfg.FirstChunk, "no first chunk within %s")
	defer watch.stop()

	res, err := c.post(ctx, "/chat/completions", typeEventStream, body)
	if err != nil {
		return err
	}
	defer func() {
		// An error here says nothing that reading did not say; what is left of the stream is not waited for.
		_ = res.Body.Close()
	}()
	reader, state := sse.NewReader(res.Body), streamState{provider: c.cfg.Provider}
	for {
		event, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return state.end()
		case errors.Is(err, sse.ErrTooLarge):
			return llm.BadAnswer(c.cfg.Provider, "%w", err)
		case err != nil:
			return c.broke(ctx, err)
		}
		watch.stop()
		data := bytes.TrimSpace(event.Data)
		if string(data) == "[DONE]" {
			return state.done()
		}
		chunk, err := c.chunk(data)
		if err != nil {
			return err
		}
		if err := state.add(chunk); err != nil {
			return err
		}
		if err := emit(chunk); err != nil {
			return err
		}
		watch.start(c.cfg.Idle, "no further chunk within %s")
	}
}

// chunk decodes one chunk; an in-band error is returned as the error that it is.
func (c *Client) chunk(data []byte) (events.ChatChunk, error) {
	var chunk struct {
		events.ChatChunk

		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(data, &chunk); err != nil {
		return events.ChatChunk{}, llm.BadAnswer(c.cfg.Provider, "a chunk of the stream is not the JSON that the protocol asks for (%d bytes)", len(data))
	}
	if len(chunk.Error) > 0 && string(chunk.Error) != "null" {
		return events.ChatChunk{}, c.inBand(data)
	}
	if chunk.Choices == nil {
		chunk.Choices = []events.ChatChunkChoice{}
	}
	chunk.Object = events.ObjectChatCompletionChunk
	return chunk.ChatChunk, nil
}

// streamState follows the alternatives of one stream, to tell a complete stream from one that broke off.
type streamState struct {
	provider string
	choices  map[int]bool // index of an alternative: has it finished
}

// add takes note of one chunk.
func (s *streamState) add(chunk events.ChatChunk) error {
	for _, choice := range chunk.Choices {
		if choice.Index < 0 || choice.Index >= maxChoices {
			return llm.BadAnswer(s.provider, "a chunk for alternative %d", choice.Index)
		}
		if s.choices == nil {
			s.choices = make(map[int]bool)
		}
		s.choices[choice.Index] = s.choices[choice.Index] || choice.FinishReason != nil
	}
	return nil
}

// maxChoices is the largest n that a request may ask for.
const maxChoices = 128

// done judges a stream that said [DONE].
func (s *streamState) done() error {
	if len(s.choices) == 0 {
		return llm.BadAnswer(s.provider, "the stream has no choices")
	}
	return nil
}

// end judges a stream that ended without [DONE], as some servers' do: it is complete if all its alternatives are.
func (s *streamState) end() error {
	if len(s.choices) == 0 {
		return llm.Unavailable(s.provider, "the stream ended before it began")
	}
	for _, finished := range s.choices {
		if !finished {
			return llm.Unavailable(s.provider, "the stream broke off before its end")
		}
	}
	return nil
}

// watchdog cancels a request whose answer does not come.
type watchdog struct {
	cancel   context.CancelCauseFunc
	provider string
	timer    *time.Timer
}

// start cancels the request after d, with an error that says why, unless it is stopped before; 0 never does.
func (w *watchdog) start(d time.Duration, why string) {
	if d <= 0 {
		return
	}
	w.timer = time.AfterFunc(d, func() {
		late := events.Errorf(events.CodeDeadlineExceeded, why, d)
		late.Provider = w.provider
		w.cancel(late)
	})
}

// stop ends the watch.
func (w *watchdog) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
