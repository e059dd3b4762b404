package openai

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/sse"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// chunk is one event of a stream on the wire.
type chunk struct {
	ID                string         `json:"id"`
	Object            string         `json:"object"`
	Created           int64          `json:"created"`
	Model             string         `json:"model"`
	SystemFingerprint string         `json:"system_fingerprint"`
	ServiceTier       string         `json:"service_tier"`
	Usage             *usage         `json:"usage"`
	Error             jsontext.Value `json:"error"`
	Choices           []chunkChoice  `json:"choices"`
}

// chunkChoice is what an event adds to one choice.
type chunkChoice struct {
	Index        int            `json:"index"`
	Delta        delta          `json:"delta"`
	FinishReason string         `json:"finish_reason"`
	Logprobs     jsontext.Value `json:"logprobs"`
}

// delta is the added piece.
type delta struct {
	Role             string         `json:"role"`
	Content          said           `json:"content"`
	Refusal          string         `json:"refusal"`
	ReasoningContent string         `json:"reasoning_content"`
	Reasoning        jsontext.Value `json:"reasoning"`
	ToolCalls        []toolCall     `json:"tool_calls"`
	Annotations      jsontext.Value `json:"annotations"`
}

// Stream implements [llm.Adapter].
func (a *Adapter) Stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	body, err := a.body(call, true)
	if err != nil {
		return err
	}
	req := a.chat(call, body)
	req.Accept = wire.TypeEventStream
	res, err := a.Do(ctx, req)
	if err != nil {
		return err
	}
	defer closeNow(res)
	s := stream{a: a, emit: emit, alive: call.Alive}
	reader := sse.NewReader(res.Body)
	reader.Comment = call.Alive
	if err := s.read(ctx, reader); err != nil {
		return s.failed(err)
	}
	return nil
}

// closeNow closes the connection of a stream without waiting for what is left of it.
func closeNow(res *http.Response) {
	_ = res.Body.Close() // an error here says nothing that reading did not say
}

// stream makes our chunks of a server's.
type stream struct {
	a     *Adapter
	emit  func(*events.ChatChunk) error
	alive func()

	reader  reader
	in      chunk
	out     events.ChatChunk
	choices []choiceState
	usage   *events.ChatUsage
	left    bool // emit has failed
}

// read reads the stream to its end.
func (s *stream) read(ctx context.Context, reader *sse.Reader) error {
	for {
		event, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return s.end(false)
		case errors.Is(err, sse.ErrTooLarge):
			return s.a.Bad("%w", err)
		case err != nil:
			return s.a.Broke(ctx, err)
		}
		data := bytes.TrimSpace(event.Data)
		if string(data) == "[DONE]" {
			return s.end(true)
		}
		if event.Name == "error" {
			return s.a.InBand(data)
		}
		if err := s.add(data); err != nil {
			return err
		}
	}
}

// failed tells what a stream that broke off has used, if the server said: that was bought.
func (s *stream) failed(err error) error {
	if s.usage == nil || s.left {
		return err
	}
	s.out.Choices, s.out.Usage = []events.ChatChunkChoice{}, s.usage
	_ = s.hand() // what ends the stream is err, whether the reader is still there or not
	return err
}

// add reads one event and hands out what there is in it.
func (s *stream) add(data []byte) error {
	if err := s.decode(data); err != nil {
		return err
	}
	in := &s.in
	if there(in.Error) != nil || in.Object == "error" { // the second is how vLLM has it
		return s.a.InBand(data)
	}
	if used := in.Usage.ours(); used != nil { // in the last chunk, in each, or in one that has choices: it is told at the end
		s.usage = used
	}
	s.out.ID, s.out.Model, s.out.Created = in.ID, in.Model, in.Created
	s.out.SystemFingerprint, s.out.ServiceTier = in.SystemFingerprint, in.ServiceTier
	s.out.Choices = s.out.Choices[:0]
	for i := range in.Choices {
		out, ok, err := s.choice(&in.Choices[i])
		if err != nil {
			return err
		}
		if ok {
			s.out.Choices = append(s.out.Choices, out)
		}
	}
	if len(s.out.Choices) == 0 {
		if s.alive != nil {
			s.alive()
		}
		return nil
	}
	return s.hand()
}

// hand gives the chunk away.
func (s *stream) hand() error {
	s.out.Object = events.ObjectChatCompletionChunk
	if s.out.Created <= 0 {
		s.out.Created = time.Now().Unix()
	}
	err := s.emit(&s.out)
	s.left = err != nil
	return err
}

// end judges a stream that said [DONE], or that just ended, as some servers' do: then it is complete if all its choices are.
func (s *stream) end(done bool) error {
	switch {
	case len(s.choices) == 0 && done:
		return s.a.Bad("the stream has no choices")
	case len(s.choices) == 0:
		return s.a.BrokeOff("the stream ended before it began")
	}
	s.out.Choices = s.out.Choices[:0]
	for i := range s.choices {
		choice := &s.choices[i]
		if choice.finish != "" {
			continue
		}
		if !done {
			return s.a.BrokeOff("the stream broke off before its end")
		}
		finish, err := s.a.finish("", len(choice.calls)) // some local servers leave it out
		if err != nil {
			return err
		}
		choice.finish = finish
		s.out.Choices = append(s.out.Choices, events.ChatChunkChoice{Index: choice.index, FinishReason: &choice.finish})
	}
	if len(s.out.Choices) > 0 {
		if err := s.hand(); err != nil {
			return err
		}
	}
	if s.usage == nil {
		return nil
	}
	s.out.Choices, s.out.Usage = []events.ChatChunkChoice{}, s.usage
	return s.hand()
}
