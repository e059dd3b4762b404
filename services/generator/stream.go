package generator

import (
	"context"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

// sender sends the chunks of one stream.
type sender struct {
	call   *door.Call
	worker *worker
	wanted bool   // the caller asked for the usage
	room   []byte // of the last chunk, if it can be used again
}

// send sends one chunk. What carries the usage alone is sent to who asked for it: the end of the stream has it too.
func (s *sender) send(chunk *events.ChatChunk) error {
	if chunk.Usage != nil {
		if !s.wanted && len(chunk.Choices) == 0 {
			return nil
		}
		own := *chunk
		own.Usage = nil
		if s.wanted {
			usage := *chunk.Usage
			if !usage.Cached {
				usage = s.worker.priced(chunk.Model, usage)
			}
			own.Usage = &usage
		}
		chunk = &own
	}
	body, err := encodeChunk(chunk, s.room)
	if err != nil {
		return err
	}
	if !s.call.Durable { // then it is the door's
		s.room = body
	}
	return s.call.Send(body)
}

// wantsUsage reports whether a request for a stream asks for the usage.
func wantsUsage(req *events.ChatRequest) bool {
	return req.StreamOptions != nil && req.StreamOptions.IncludeUsage
}

// encodeAnswer writes a whole answer that fits into one message.
func encodeAnswer(answer *events.ChatResponse, call *door.Call) ([]byte, error) {
	if answer == nil {
		return nil, events.Errorf(events.CodeInvalidArgument, "the answer is too long to be kept: ask for a shorter one with max_completion_tokens")
	}
	body, err := encodeResponse(answer, call.Room)
	if err != nil {
		return nil, err
	}
	call.Room = body
	if limit := call.Limit; len(body) > limit {
		return nil, events.Errorf(events.CodeInvalidArgument,
			"the reply has %d bytes; one message takes at most %d: ask for a shorter answer with max_completion_tokens, or for a stream", len(body), limit)
	}
	return body, nil
}

// brokenOff gives the error of a stream that broke off the form in which the door tells of it. What was said may hold what the filter
// has not released yet: it is told only if it passes.
func (w *worker) brokenOff(ctx context.Context, about moral.Subject, err error) error {
	partial, ok := errors.AsType[*engine.PartialError](err)
	if !ok {
		return err
	}
	told := &partialError{error: partial.Err, said: partial.Partial}
	if told.said != nil && w.filter.Completion(ctx, about, told.said) != nil {
		told.said = nil
	}
	return told
}
