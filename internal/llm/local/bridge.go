package local

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Echo is [Model] as an [llm.Streamer].
type Echo struct{}

// Interface guards.
var (
	_ llm.Generator = Echo{}
	_ llm.Streamer  = Echo{}
)

// Generate implements [llm.Generator].
func (Echo) Generate(ctx context.Context, req *events.ChatRequest) (*events.ChatResponse, error) {
	return Model{}.Chat(ctx, &llm.Call{Model: EchoModel, Request: req})
}

// Stream implements [llm.Streamer].
func (Echo) Stream(ctx context.Context, req *events.ChatRequest, emit func(events.ChatChunk) error) error {
	return Model{}.Stream(ctx, &llm.Call{Model: EchoModel, Request: req}, func(chunk *events.ChatChunk) error { return emit(*chunk) })
}
