package local

import (
	"context"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// HashAdapter is the model of [Hash] as an [llm.EmbedAdapter]. Its tokens are words, of which it reads all.
type HashAdapter struct{}

var _ llm.EmbedAdapter = HashAdapter{}

// Embed implements [llm.EmbedAdapter].
func (HashAdapter) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := CheckDimensions(call, HashModel, HashDimensions); err != nil {
		return nil, err
	}
	out := &llm.Embedded{Vectors: make([][]float32, len(call.Texts)), Tokens: make([]int, len(call.Texts))}
	for i, text := range call.Texts {
		if ctx.Err() != nil {
			return nil, Ended(context.Cause(ctx))
		}
		list := words(text)
		if len(list) == 0 {
			return nil, NoText()
		}
		out.Vectors[i], out.Tokens[i] = vector(list), len(list)
		out.PromptTokens += len(list)
	}
	return out, nil
}

// EmbedLimits implements [llm.EmbedAdapter].
func (HashAdapter) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return llm.EmbedLimits{Items: events.MaxInputs}, nil
}

// CheckDimensions is the fault of a call to a model that has vectors of one length only, if it asks for another.
func CheckDimensions(call *llm.EmbedCall, model string, dimensions int) error {
	if call.Dimensions == 0 || call.Dimensions == dimensions {
		return nil
	}
	return llm.FaultOf(llm.Refuse(Provider, "dimensions: %s/%s has %d and no other", Provider, model, dimensions))
}

// NoText is the fault of a text without any.
func NoText() *llm.Fault {
	e := events.Errorf(events.CodeInvalidArgument, "there is no text in it")
	e.Provider = Provider
	return &llm.Fault{Class: llm.ClassCaller, Err: e}
}

// Ended is the fault of a context that has ended: the one with which it was ended, or one of its own.
func Ended(cause error) *llm.Fault {
	if fault, ok := errors.AsType[*llm.Fault](cause); ok {
		return fault
	}
	e := *events.AsError(cause)
	e.Provider = Provider
	return llm.FaultOf(&e)
}
