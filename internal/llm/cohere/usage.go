package cohere

import (
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// usage counts tokens, in numbers that may have a fraction.
type usage struct {
	Tokens *counts `json:"tokens"`
	Billed *counts `json:"billed_units"`
	Cached float64 `json:"cached_tokens"`
}

// counts are one way to count.
type counts struct {
	Input  *float64 `json:"input_tokens"`
	Output *float64 `json:"output_tokens"`
}

// chat writes the counts as OpenAI would; nil when there are none.
func (u *usage) chat() *events.ChatUsage {
	if u == nil {
		return nil
	}
	n := u.Tokens
	if n == nil || n.Input == nil && n.Output == nil {
		n = u.Billed
	}
	if n == nil || n.Input == nil && n.Output == nil {
		return nil
	}
	out := &events.ChatUsage{PromptTokens: count(n.Input), CompletionTokens: count(n.Output)}
	out.TotalTokens = out.PromptTokens + out.CompletionTokens
	if cached := min(native.Count(u.Cached), out.PromptTokens); cached > 0 {
		out.PromptTokensDetails = &events.PromptTokensDetails{CachedTokens: cached}
	}
	return out
}

// count is a count that may be missing.
func count(n *float64) int {
	if n == nil {
		return 0
	}
	return native.Count(*n)
}
