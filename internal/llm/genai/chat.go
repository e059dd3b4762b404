package genai

import (
	"context"
	"encoding/json"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Chat is an attempt at a conversation that is under way. One goroutine uses it.
type Chat struct {
	attempt

	request *events.ChatRequest
	stream  bool
	series  *series // of a stream that has begun
	// first and last are when the first chunk of a stream came, and the last so far.
	first, last time.Time
	id, model   string
}

// Chat begins an attempt at a conversation. The context is that of the attempt.
func (r *Recorder) Chat(ctx context.Context, about *About, req *events.ChatRequest, stream bool) (context.Context, Chat) {
	c := Chat{attempt: r.attempt(chat, about), request: req, stream: stream}
	if r.Traces(ctx) {
		ctx = c.start(ctx)
	}
	return ctx, c
}

// asked adds what a request says of itself.
func asked(to []attribute.KeyValue, req *events.ChatRequest, stream bool, target *Target) []attribute.KeyValue {
	if stream {
		to = append(to, attribute.Bool("gen_ai.request.stream", true))
	}
	if req.N != nil && *req.N != 1 {
		to = append(to, attribute.Int("gen_ai.request.choice.count", *req.N))
	}
	if req.Seed != nil {
		to = append(to, attribute.Int64("gen_ai.request.seed", *req.Seed))
	}
	if most, bounded := req.TokenLimit(); bounded {
		to = append(to, attribute.Int("gen_ai.request.max_tokens", most))
	}
	if req.Temperature != nil {
		to = append(to, attribute.Float64("gen_ai.request.temperature", *req.Temperature))
	}
	if req.TopP != nil {
		to = append(to, attribute.Float64("gen_ai.request.top_p", *req.TopP))
	}
	if llm.Given(req.ResponseFormat) {
		kind := "text"
		if llm.WantsFormat(req) {
			kind = "json"
		}
		to = append(to, attribute.String("gen_ai.output.type", kind))
	}
	if len(req.Extra) > 0 {
		to = extras(to, req.Extra, target)
	}
	if target.OpenAI {
		to = append(to, attribute.String("openai.api.type", "chat_completions"))
	}
	return to
}

// extras adds what the conventions know of the fields that are passed on as they are.
func extras(to []attribute.KeyValue, extra map[string]json.RawMessage, target *Target) []attribute.KeyValue {
	var n float64
	if number(extra["frequency_penalty"], &n) {
		to = append(to, attribute.Float64("gen_ai.request.frequency_penalty", n))
	}
	if number(extra["presence_penalty"], &n) {
		to = append(to, attribute.Float64("gen_ai.request.presence_penalty", n))
	}
	if number(extra["top_k"], &n) {
		to = append(to, attribute.Int("gen_ai.request.top_k", int(n)))
	}
	var tier string
	if raw := extra["service_tier"]; target.OpenAI && len(raw) > 0 && json.Unmarshal(raw, &tier) == nil && len(tier) <= maxWord {
		to = append(to, attribute.String("openai.request.service_tier", tier))
	}
	return to
}

// number reads a number, if it is one.
func number(raw json.RawMessage, n *float64) bool {
	return len(raw) > 0 && string(raw) != "null" && json.Unmarshal(raw, n) == nil
}

// maxWord bounds what a server or a caller says that is to be one word, in bytes.
const maxWord = 200

// Chunk takes note of a chunk of a stream when it comes, with the names that the provider gives it.
func (c *Chat) Chunk(chunk *events.ChatChunk) {
	if c.recorder == nil {
		return
	}
	now := time.Now()
	if c.first.IsZero() {
		c.first = now
		c.series, _ = c.counts(true)
		if c.series != nil {
			c.series.first.observe(now.Sub(c.about.Began).Seconds(), c.span)
		}
	} else if c.series != nil {
		c.series.chunk.Observe(now.Sub(c.last).Seconds()) // for so many there are no exemplars
	}
	c.last = now
	if c.span != nil && c.id == "" {
		c.id, c.model = chunk.ID, chunk.Model
	}
}

// Answered takes note of which model says that it has answered: the provider's own name, which may tell its version.
func (c *Chat) Answered(id, model string) { c.id, c.model = id, model }

// ChatEnd is how an attempt at a conversation has ended.
type ChatEnd struct {
	// Took is how long it took.
	Took time.Duration
	// Fault is why it failed; nil: it did not.
	Fault *llm.Fault
	// Response is the answer, as far as it came and is known; it may be nil.
	Response *events.ChatResponse
	// Usage counts the tokens, if the provider has.
	Usage *events.ChatUsage
}

// End ends the attempt.
func (c *Chat) End(e *ChatEnd) {
	if c.recorder == nil {
		return
	}
	var input, output int
	if e.Usage != nil {
		input, output = e.Usage.PromptTokens, e.Usage.CompletionTokens
	}
	c.count(e.Took, e.Fault, input, output)
	if c.span == nil {
		return
	}
	list := c.attributes()
	to := c.answer(asked(*list, c.request, c.stream, c.about.Target), e)
	if e.Usage != nil {
		to = used(to, e.Usage)
	}
	if c.recorder.content {
		to = c.content(to, e.Response)
	}
	*list = to
	c.end(e.Fault, list)
}

// answer adds what the answer says of itself.
func (c *Chat) answer(to []attribute.KeyValue, e *ChatEnd) []attribute.KeyValue {
	if c.id != "" {
		to = append(to, attribute.String("gen_ai.response.id", word(c.id)))
	}
	if c.model != "" {
		to = append(to, attribute.String("gen_ai.response.model", word(c.model)))
	}
	if c.stream && !c.first.IsZero() {
		to = append(to, attribute.Float64("gen_ai.response.time_to_first_chunk", c.first.Sub(c.about.Began).Seconds()))
	}
	res := e.Response
	if res == nil {
		return to
	}
	reasons := make([]string, 0, 1)
	for i := range res.Choices {
		if reason := res.Choices[i].FinishReason; reason != "" && len(reasons) < maxReasons {
			reasons = append(reasons, word(reason))
		}
	}
	if len(reasons) > 0 {
		to = append(to, attribute.StringSlice("gen_ai.response.finish_reasons", reasons))
	}
	if !c.about.Target.OpenAI {
		return to
	}
	if res.ServiceTier != "" {
		to = append(to, attribute.String("openai.response.service_tier", word(res.ServiceTier)))
	}
	if res.SystemFingerprint != "" {
		to = append(to, attribute.String("openai.response.system_fingerprint", word(res.SystemFingerprint)))
	}
	return to
}

// maxReasons bounds how many finish reasons are told.
const maxReasons = 128

// used adds the tokens. Those of the input include what was in the provider's cache, as the contract's do.
func used(to []attribute.KeyValue, u *events.ChatUsage) []attribute.KeyValue {
	to = append(to, attribute.Int("gen_ai.usage.input_tokens", u.PromptTokens), attribute.Int("gen_ai.usage.output_tokens", u.CompletionTokens))
	if d := u.PromptTokensDetails; d != nil {
		if d.CachedTokens > 0 {
			to = append(to, attribute.Int("gen_ai.usage.cache_read.input_tokens", d.CachedTokens))
		}
		if d.CacheWriteTokens > 0 {
			to = append(to, attribute.Int("gen_ai.usage.cache_creation.input_tokens", d.CacheWriteTokens))
		}
	}
	if d := u.CompletionTokensDetails; d != nil && d.ReasoningTokens > 0 {
		to = append(to, attribute.Int("gen_ai.usage.reasoning.output_tokens", d.ReasoningTokens))
	}
	return to
}
