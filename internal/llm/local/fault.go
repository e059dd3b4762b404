package local

import (
	"errors"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

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
