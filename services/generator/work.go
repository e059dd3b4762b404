package generator

import (
	"context"
	"encoding/json"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// worker does one chat request, whichever door it came through.
type worker struct {
	models       *llm.Providers[llm.Generator]
	defaultModel string
}

// work implements [door.Worker].
func (w *worker) work(ctx context.Context, call *door.Call) ([]byte, error) {
	var req events.ChatRequest
	if err := events.DecodeJSON(call.Body, &req); err != nil {
		return nil, err
	}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if req.Model == "" {
		req.Model = w.defaultModel
	}
	model := req.Model
	generator, provider, name, err := w.models.Resolve(model)
	if err != nil {
		return nil, err
	}
	call.Report.Model, call.Report.Stream = model, req.Stream
	req.Model = name
	if req.Stream {
		return nil, stream(ctx, call, generator, provider, model, &req)
	}
	res, err := generator.Generate(ctx, &req)
	if err != nil {
		return nil, err
	}
	res.Model = model
	note(call, res.Usage)
	body, err := json.Marshal(res)
	if err != nil {
		return nil, err
	}
	if len(body) > call.Limit {
		return nil, events.Errorf(events.CodeInvalidArgument,
			"the reply has %d bytes; one message takes at most %d: ask for a shorter answer with max_completion_tokens, or for a stream", len(body), call.Limit)
	}
	return body, nil
}

// stream sends the answer in chunks.
func stream(ctx context.Context, call *door.Call, generator llm.Generator, provider, model string, req *events.ChatRequest) error {
	if call.Send == nil {
		return events.Errorf(events.CodeInvalidArgument, "stream: a durable request has one result; only the interactive subjects stream")
	}
	streamer, ok := generator.(llm.Streamer)
	if !ok {
		return llm.Refuse(provider, "stream: this provider answers in one piece only")
	}
	wanted := req.StreamOptions != nil && req.StreamOptions.IncludeUsage
	return streamer.Stream(ctx, req, func(chunk events.ChatChunk) error {
		note(call, chunk.Usage)
		if !wanted {
			if len(chunk.Choices) == 0 { // it would carry nothing but the usage
				return nil
			}
			chunk.Usage = nil
		}
		chunk.Model = model
		body, err := json.Marshal(chunk)
		if err != nil {
			return err
		}
		return call.Send(body)
	})
}

// note tells the report about tokens.
func note(call *door.Call, usage *events.ChatUsage) {
	if usage == nil {
		return
	}
	call.Report.PromptTokens, call.Report.CompletionTokens, call.Report.TotalTokens = usage.PromptTokens, usage.CompletionTokens, usage.TotalTokens
}
