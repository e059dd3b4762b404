package events

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Roles of a chat message.
const (
	RoleSystem    = "system"
	RoleDeveloper = "developer"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Reasons for which a model stopped.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishToolCalls     = "tool_calls"
	FinishContentFilter = "content_filter"
)

// Values of the field object in replies.
const (
	ObjectChatCompletion      = "chat.completion"
	ObjectChatCompletionChunk = "chat.completion.chunk"
)

// maxMessages bounds the messages of one request.
const maxMessages = 4096

// ChatRequest is the body of a request on the generate subjects: OpenAI's POST /chat/completions, or the short form
// {"prompt": "…"}. Fields that are not listed here are kept and passed on to providers that speak OpenAI's
// protocol; a provider that cannot honour a field answers unsupported with the field's name.
type ChatRequest struct {
	// Model is "provider/model", for example "openai/gpt-4o-mini". Empty: the service's default model.
	Model string `json:"model,omitempty"`
	// Messages is the conversation so far.
	Messages []ChatMessage `json:"messages,omitempty"`
	// Prompt is the short form of one user message; it excludes Messages.
	Prompt string `json:"prompt,omitempty"`
	// Stream asks for chunks as they are made. Only the interactive subjects can.
	Stream bool `json:"stream,omitempty"`
	// StreamOptions is OpenAI's stream_options.
	StreamOptions *StreamOptions `json:"stream_options,omitempty"`
	// Temperature is 0 to 2.
	Temperature *float64 `json:"temperature,omitempty" jsonschema:"minimum=0,maximum=2"`
	// TopP is above 0, up to 1.
	TopP *float64 `json:"top_p,omitempty" jsonschema:"exclusiveMinimum=0,maximum=1"`
	// MaxCompletionTokens bounds the answer, in tokens; at least 1.
	MaxCompletionTokens *int `json:"max_completion_tokens,omitempty" jsonschema:"minimum=1"`
	// MaxTokens is the older name of MaxCompletionTokens, still read.
	MaxTokens *int `json:"max_tokens,omitempty" jsonschema:"minimum=1"`
	// N is how many choices are wanted; at least 1.
	N *int `json:"n,omitempty" jsonschema:"minimum=1,maximum=128"`
	// Stop holds up to four texts at which the answer ends: a string or a list of strings.
	Stop StopSequences `json:"stop,omitempty"`
	// Seed asks for repeatable sampling where the provider can.
	Seed *int64 `json:"seed,omitempty"`
	// Tools, ToolChoice and ResponseFormat are passed on as they are.
	Tools          json.RawMessage `json:"tools,omitempty"`
	ToolChoice     json.RawMessage `json:"tool_choice,omitempty"`
	ResponseFormat json.RawMessage `json:"response_format,omitempty"`
	// User is an opaque end-user id.
	User string `json:"user,omitempty"`
	// Extra holds the fields that are not listed above, by name.
	Extra map[string]json.RawMessage `json:"-"`
}

// StreamOptions is OpenAI's stream_options.
type StreamOptions struct {
	// IncludeUsage asks for a last chunk that carries the usage and no choices.
	IncludeUsage bool `json:"include_usage,omitempty"`
}

// chatRequestFields is ChatRequest without its methods.
type chatRequestFields ChatRequest

// MarshalJSON implements [json.Marshaler]; Extra fields are written beside the others and cannot replace them.
func (r ChatRequest) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(chatRequestFields(r))
	if err != nil || len(r.Extra) == 0 {
		return known, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(known, &all); err != nil {
		return nil, err
	}
	fields := chatRequestNames()
	for name, value := range r.Extra {
		if !fields[name] {
			all[name] = value
		}
	}
	return json.Marshal(all)
}

// Validate checks what can be known without asking a provider. It returns an [Error] of code invalid_argument.
func (r ChatRequest) Validate() error {
	switch {
	case r.Prompt == "" && len(r.Messages) == 0:
		return Errorf(CodeInvalidArgument, `nothing to answer: give "messages", or "prompt" for a single user message`)
	case r.Prompt != "" && len(r.Messages) > 0:
		return Errorf(CodeInvalidArgument, `"prompt" and "messages" exclude each other`)
	case len(r.Messages) > maxMessages:
		return Errorf(CodeInvalidArgument, "messages has %d entries; at most %d are allowed", len(r.Messages), maxMessages)
	case r.Temperature != nil && (*r.Temperature < 0 || *r.Temperature > 2):
		return Errorf(CodeInvalidArgument, "temperature is %g; it must be 0 to 2", *r.Temperature)
	case r.TopP != nil && (*r.TopP <= 0 || *r.TopP > 1):
		return Errorf(CodeInvalidArgument, "top_p is %g; it must be above 0 and at most 1", *r.TopP)
	case r.MaxCompletionTokens != nil && *r.MaxCompletionTokens < 1:
		return Errorf(CodeInvalidArgument, "max_completion_tokens is %d; it must be at least 1", *r.MaxCompletionTokens)
	case r.MaxTokens != nil && *r.MaxTokens < 1:
		return Errorf(CodeInvalidArgument, "max_tokens is %d; it must be at least 1", *r.MaxTokens)
	case r.N != nil && (*r.N < 1 || *r.N > 128):
		return Errorf(CodeInvalidArgument, "n is %d; it must be 1 to 128", *r.N)
	case len(r.Stop) > 4:
		return Errorf(CodeInvalidArgument, "stop has %d texts; at most 4 are allowed", len(r.Stop))
	}
	if !utf8.ValidString(r.Prompt) { // writing it as JSON would change it without a word
		return Errorf(CodeInvalidArgument, "prompt is not valid UTF-8")
	}
	for i, m := range r.Messages {
		if !utf8.ValidString(m.Content.Text) {
			return Errorf(CodeInvalidArgument, "messages[%d].content is not valid UTF-8", i)
		}
		switch m.Role {
		case RoleSystem, RoleDeveloper, RoleUser, RoleAssistant, RoleTool:
		default:
			return Errorf(CodeInvalidArgument, "messages[%d].role is %q; it must be system, developer, user, assistant or tool", i, truncate(m.Role, 40))
		}
	}
	return nil
}

// Conversation returns Messages, or Prompt as the one user message that it stands for.
func (r ChatRequest) Conversation() []ChatMessage {
	if r.Prompt != "" {
		return []ChatMessage{{Role: RoleUser, Content: TextContent(r.Prompt)}}
	}
	return r.Messages
}

// TokenLimit returns the bound on the answer in tokens and whether there is one.
func (r ChatRequest) TokenLimit() (int, bool) {
	switch {
	case r.MaxCompletionTokens != nil:
		return *r.MaxCompletionTokens, true
	case r.MaxTokens != nil:
		return *r.MaxTokens, true
	default:
		return 0, false
	}
}

// StopSequences is a string or a list of strings in JSON.
type StopSequences []string

// UnmarshalJSON implements [json.Unmarshaler].
func (s *StopSequences) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '"' {
		var one string
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		*s = StopSequences{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return Errorf(CodeInvalidArgument, "stop must be a string or a list of strings")
	}
	*s = list
	return nil
}

// ChatMessage is one message of a conversation.
type ChatMessage struct {
	// Role is system, developer, user, assistant or tool.
	Role string `json:"role" jsonschema:"enum=system,enum=developer,enum=user,enum=assistant,enum=tool"`
	// Content is the text, or a list of parts, or null.
	Content Content `json:"content"`
	// Name tells participants of one role apart.
	Name string `json:"name,omitempty"`
	// Refusal is the model's refusal, when it refused.
	Refusal string `json:"refusal,omitempty"`
	// ReasoningContent is what the model thought aloud before it answered, from servers that tell (DeepSeek, vLLM and others).
	ReasoningContent string `json:"reasoning_content,omitempty"`
	// ToolCalls are the calls that an assistant asked for.
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
	// ToolCallID says which call a tool message answers.
	ToolCallID string `json:"tool_call_id,omitempty"`
	// Annotations are OpenAI's, of an answer that cites; kept as they came.
	Annotations json.RawMessage `json:"annotations,omitempty"`
}

// ToolCall is a function call that a model asks for. In a stream, ID and Function.Name come once and the pieces of
// Function.Arguments are joined by Index.
type ToolCall struct {
	Index    *int         `json:"index,omitempty"`
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function ToolFunction `json:"function"`
}

// ToolFunction names a function and gives its arguments as a JSON text.
type ToolFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// ChatResponse is the reply to a [ChatRequest] that did not ask for a stream.
type ChatResponse struct {
	ID string `json:"id"`
	// Object is always "chat.completion".
	Object string `json:"object"`
	// Created is in Unix seconds.
	Created int64 `json:"created"`
	// Model is the model that answered, as "provider/model".
	Model             string       `json:"model"`
	Choices           []ChatChoice `json:"choices"`
	Usage             *ChatUsage   `json:"usage,omitempty"`
	SystemFingerprint string       `json:"system_fingerprint,omitempty"`
	// ServiceTier is the provider's word for how it was served.
	ServiceTier string `json:"service_tier,omitempty"`
}

// ChatChoice is one of a response's alternatives.
type ChatChoice struct {
	Index   int         `json:"index"`
	Message ChatMessage `json:"message"`
	// FinishReason is stop, length, tool_calls or content_filter.
	FinishReason string `json:"finish_reason"`
	// Logprobs are OpenAI's, when they were asked for; kept as they came.
	Logprobs json.RawMessage `json:"logprobs,omitempty"`
}

// ChatUsage counts tokens, as the provider counted them.
type ChatUsage struct {
	// PromptTokens includes those that the provider had cached.
	PromptTokens int `json:"prompt_tokens"`
	// CompletionTokens includes those of reasoning.
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	// PromptTokensDetails and CompletionTokensDetails say of what kind tokens were, if the provider does.
	PromptTokensDetails     *PromptTokensDetails     `json:"prompt_tokens_details,omitempty"`
	CompletionTokensDetails *CompletionTokensDetails `json:"completion_tokens_details,omitempty"`
	// Cost is what the answer cost in the currency of the operator's price table; absent when that has no price for the model.
	Cost *float64 `json:"cost,omitempty" jsonschema:"minimum=0"`
	// Cached is set when the answer came out of our cache: the counts are those of the answer that was bought, and this one cost
	// nothing.
	Cached bool `json:"cached,omitempty"`
}

// PromptTokensDetails says of what kind tokens of the prompt were.
type PromptTokensDetails struct {
	// CachedTokens were in the provider's cache.
	CachedTokens int `json:"cached_tokens,omitempty"`
	// CacheWriteTokens were put there.
	CacheWriteTokens int `json:"cache_write_tokens,omitempty"`
}

// CompletionTokensDetails says of what kind tokens of the answer were.
type CompletionTokensDetails struct {
	// ReasoningTokens were thought and not said.
	ReasoningTokens int `json:"reasoning_tokens,omitempty"`
}

// ChatChunk is one message of a stream. The stream ends with an empty message.
type ChatChunk struct {
	ID string `json:"id"`
	// Object is always "chat.completion.chunk".
	Object string `json:"object"`
	// Created is in Unix seconds.
	Created int64  `json:"created"`
	Model   string `json:"model"`
	// Choices is empty in the last chunk when usage was asked for.
	Choices []ChatChunkChoice `json:"choices"`
	Usage   *ChatUsage        `json:"usage,omitempty"`
	// SystemFingerprint and ServiceTier are the provider's.
	SystemFingerprint string `json:"system_fingerprint,omitempty"`
	ServiceTier       string `json:"service_tier,omitempty"`
}

// ChatChunkChoice is what one chunk adds to one alternative.
type ChatChunkChoice struct {
	Index int       `json:"index"`
	Delta ChatDelta `json:"delta"`
	// FinishReason is null until the alternative ends.
	FinishReason *string `json:"finish_reason" jsonschema:"nullable"`
	// Logprobs are OpenAI's, when they were asked for; kept as they came.
	Logprobs json.RawMessage `json:"logprobs,omitempty"`
}

// ChatDelta is the added piece.
type ChatDelta struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content,omitempty"`
	Refusal string `json:"refusal,omitempty"`
	// ReasoningContent is what the model thinks aloud, from servers that tell.
	ReasoningContent string     `json:"reasoning_content,omitempty"`
	ToolCalls        []ToolCall `json:"tool_calls,omitempty"`
	// Annotations are OpenAI's; kept as they came.
	Annotations json.RawMessage `json:"annotations,omitempty"`
}
