package openai

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Generate implements [llm.Generator].
func (c *Client) Generate(ctx context.Context, req *events.ChatRequest) (*events.ChatResponse, error) {
	body, err := c.chatBody(req, false)
	if err != nil {
		return nil, err
	}
	var res *events.ChatResponse
	err = c.cfg.Attempts.Do(ctx, func(ctx context.Context) (err error) {
		res, err = c.generate(ctx, body)
		return err
	})
	return res, err
}

// generate makes one request.
func (c *Client) generate(ctx context.Context, body []byte) (*events.ChatResponse, error) {
	var answer struct {
		events.ChatResponse

		Choices []struct {
			events.ChatChoice

			Message *events.ChatMessage `json:"message"`
		} `json:"choices"`
		Error json.RawMessage `json:"error"`
	}
	if err := c.call(ctx, "/chat/completions", body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Choices) == 0 && answer.Error != nil {
		return nil, c.inBand(wrapError(answer.Error))
	}
	if len(answer.Choices) == 0 {
		return nil, llm.BadAnswer(c.cfg.Provider, "it has no choices")
	}
	res := answer.ChatResponse
	res.Object = events.ObjectChatCompletion
	if res.Created <= 0 {
		res.Created = time.Now().Unix()
	}
	seen := make(map[int]bool, len(answer.Choices))
	for i, choice := range answer.Choices {
		if choice.Message == nil {
			return nil, llm.BadAnswer(c.cfg.Provider, "choices[%d] has no message", i)
		}
		if choice.Index < 0 || choice.Index >= len(answer.Choices) || seen[choice.Index] {
			return nil, llm.BadAnswer(c.cfg.Provider, "choices[%d] has index %d, which is out of range or comes twice", i, choice.Index)
		}
		seen[choice.Index] = true
		done := choice.ChatChoice
		done.Message = *choice.Message
		if done.FinishReason == "" { // some local servers leave it out
			done.FinishReason = events.FinishStop
		}
		if m := done.Message; done.FinishReason == events.FinishStop && m.Content.Null && m.Refusal == "" && len(m.ToolCalls) == 0 {
			return nil, llm.BadAnswer(c.cfg.Provider, "choices[%d] stopped without content", i)
		}
		done.Message.Role = events.RoleAssistant
		res.Choices = append(res.Choices, done)
	}
	return &res, nil
}

// chatBody writes the request as the server shall see it: without our short form, with its own model name, with fields
// that we do not know as they came.
func (c *Client) chatBody(req *events.ChatRequest, stream bool) ([]byte, error) {
	for _, field := range []string{"logprobs", "top_logprobs", "modalities", "audio"} {
		if asks(req, field) {
			return nil, llm.Refuse(c.cfg.Provider, "%s: the reply has no place for what this asks for", field)
		}
	}
	for _, field := range c.cfg.Refuse {
		if asks(req, field) {
			return nil, llm.Refuse(c.cfg.Provider, "%s is ignored by this provider's OpenAI-compatible API; leave it out", field)
		}
	}
	ask := *req
	ask.Messages, ask.Prompt = req.Conversation(), ""
	ask.Stream, ask.StreamOptions = stream, nil
	if stream && !c.cfg.NoStreamOptions {
		ask.StreamOptions = &events.StreamOptions{IncludeUsage: true}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		e := events.Errorf(events.CodeInvalidArgument, "the request cannot be written as JSON: %w", err)
		e.Provider = c.cfg.Provider
		return nil, e
	}
	return body, nil
}

// asks reports whether the request asks for more than the default of a field.
func asks(req *events.ChatRequest, field string) bool {
	switch field {
	case "response_format":
		return llm.WantsFormat(req)
	case "n":
		return req.N != nil && *req.N > 1
	case "tools":
		return llm.Given(req.Tools)
	case "modalities":
		var list []string
		return llm.Given(req.Extra[field]) && (json.Unmarshal(req.Extra[field], &list) != nil || !slices.Equal(list, []string{"text"}))
	default:
		raw := req.Extra[field]
		return llm.Given(raw) && string(raw) != "false"
	}
}
