package generator

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/price"
)

// gate holds attempts under the limits, by what they may use at the most.
type gate struct {
	limiter *limits.Limiter
	prices  *price.Table
}

// maxEstimate is more tokens than any limit allows.
const maxEstimate = 1 << 48

// Reserve implements [engine.Gate].
func (g *gate) Reserve(ctx context.Context, a engine.Attempt) (engine.Lease, error) {
	most, _ := a.Request.TokenLimit()
	prompt, completion := g.limiter.Guess(promptBytes(a.Request), most)
	// What a caller writes may be as large as a number can be: sums of it must not begin below zero again.
	completion = min(completion, maxEstimate)
	if n := a.Request.N; n != nil {
		completion = min(completion*(*n), maxEstimate)
	}
	cost, _ := g.prices.Estimate(a.Target.ID, prompt, completion) // a model without a price counts nothing
	scope := limits.Scope{Caller: a.Caller, Provider: a.Target.Provider, Model: a.Target.ID}
	if a.Alias {
		scope.Alias = a.Asked
	}
	lease, err := g.limiter.Reserve(ctx, scope, limits.Estimate{Tokens: prompt + completion, Cost: cost})
	if err != nil || lease == nil {
		return nil, err
	}
	return &reserved{lease: lease, prices: g.prices, model: a.Target.ID}, nil
}

// reserved is what one attempt may use.
type reserved struct {
	lease  *limits.Lease
	prices *price.Table
	model  string
}

// Settle implements [engine.Lease].
func (r *reserved) Settle(usage *events.ChatUsage) {
	if usage == nil { // nobody knows what was bought: what was reserved stands
		r.lease.Keep()
		return
	}
	cost, _ := r.prices.Cost(r.model, *usage)
	r.lease.Settle(max(usage.TotalTokens, usage.PromptTokens+usage.CompletionTokens), cost)
}

// Release implements [engine.Lease].
func (r *reserved) Release() { r.lease.Release() }

// promptBytes is the size of what a request has a model read.
func promptBytes(req *events.ChatRequest) int {
	n := len(req.Prompt) + len(req.Tools) + len(req.ResponseFormat)
	for i := range req.Messages {
		m := &req.Messages[i]
		n += len(m.Content.Text)
		for j := range m.Content.Parts {
			n += len(m.Content.Parts[j].Text)
		}
		for j := range m.ToolCalls {
			n += len(m.ToolCalls[j].Function.Name) + len(m.ToolCalls[j].Function.Arguments)
		}
	}
	return n
}
