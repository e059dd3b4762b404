package openai

import (
	"errors"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// errArguments is the error of arguments that are no text and no object.
var errArguments = errors.New("arguments are neither a text nor an object")

// usage is a count of tokens on the wire.
type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`

	Prompt     *promptDetails     `json:"prompt_tokens_details"`
	Completion *completionDetails `json:"completion_tokens_details"`
	CacheHit   int                `json:"prompt_cache_hit_tokens"` // DeepSeek's name
}

// promptDetails say of what kind tokens of the prompt were.
type promptDetails struct {
	Cached     int `json:"cached_tokens"`
	CacheWrite int `json:"cache_write_tokens"`
}

// completionDetails say of what kind tokens of the answer were.
type completionDetails struct {
	Reasoning int `json:"reasoning_tokens"`
}

// maxTokens is more than any answer has, and any prompt.
const maxTokens = 1 << 30

// ours is our count; nil when there is none that can be believed.
func (u *usage) ours() *events.ChatUsage {
	if u == nil {
		return nil
	}
	for _, n := range []int{u.PromptTokens, u.CompletionTokens, u.TotalTokens} {
		if n < 0 || n > maxTokens {
			return nil
		}
	}
	if u.PromptTokens == 0 && u.CompletionTokens == 0 && u.TotalTokens == 0 {
		return nil
	}
	out := &events.ChatUsage{PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens}
	// Some count thoughts in the total only; they are tokens of the answer, and cost as much.
	unsaid := max(u.TotalTokens-u.PromptTokens-u.CompletionTokens, 0)
	out.CompletionTokens += unsaid
	out.TotalTokens = out.PromptTokens + out.CompletionTokens
	cached, written := u.CacheHit, 0
	if u.Prompt != nil {
		cached, written = max(cached, u.Prompt.Cached), u.Prompt.CacheWrite
	}
	cached = min(max(cached, 0), out.PromptTokens)
	written = min(max(written, 0), out.PromptTokens-cached)
	if cached > 0 || written > 0 {
		out.PromptTokensDetails = &events.PromptTokensDetails{CachedTokens: cached, CacheWriteTokens: written}
	}
	if u.Completion != nil {
		unsaid = max(unsaid, u.Completion.Reasoning)
	}
	if reasoning := min(max(unsaid, 0), out.CompletionTokens); reasoning > 0 {
		out.CompletionTokensDetails = &events.CompletionTokensDetails{ReasoningTokens: reasoning}
	}
	return out
}
