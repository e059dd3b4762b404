package anthropic

import "github.com/neuron7x/mlsdm-integrations/pkg/events"

// usage counts tokens. In a stream it comes twice: at the start, and at the end with what has grown since. What is left out there stays
// as it was.
type usage struct {
	Input      *int64 `json:"input_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`
	Output     *int64 `json:"output_tokens"`
	Details    *struct {
		Thinking int64 `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
	ServiceTier string `json:"service_tier"`
}

// update takes over what a later count says.
func (u *usage) update(later *usage) {
	if later.Input != nil {
		u.Input = later.Input
	}
	if later.CacheRead != nil {
		u.CacheRead = later.CacheRead
	}
	if later.CacheWrite != nil {
		u.CacheWrite = later.CacheWrite
	}
	if later.Output != nil {
		u.Output = later.Output
	}
	if later.Details != nil {
		u.Details = later.Details
	}
	if later.ServiceTier != "" {
		u.ServiceTier = later.ServiceTier
	}
}

// chat writes the counts as OpenAI would: the prompt includes what was cached. Nil stays nil.
func (u *usage) chat() *events.ChatUsage {
	if u == nil {
		return nil
	}
	read, write := count(u.CacheRead), count(u.CacheWrite)
	out := &events.ChatUsage{PromptTokens: count(u.Input) + read + write, CompletionTokens: count(u.Output)}
	out.TotalTokens = out.PromptTokens + out.CompletionTokens
	if read > 0 || write > 0 {
		out.PromptTokensDetails = &events.PromptTokensDetails{CachedTokens: read, CacheWriteTokens: write}
	}
	if u.Details != nil && u.Details.Thinking > 0 {
		out.CompletionTokensDetails = &events.CompletionTokensDetails{
			ReasoningTokens: min(count(&u.Details.Thinking), out.CompletionTokens),
		}
	}
	return out
}

// maxCount bounds one count of tokens, far above what there is, so that sums cannot overflow.
const maxCount = 1 << 40

// count makes a server's number one that can be reckoned with.
func count(n *int64) int {
	if n == nil {
		return 0
	}
	return int(min(max(*n, 0), maxCount))
}
