package anthropic

import "github.com/go-json-experiment/json/jsontext"

// request is the body of POST /v1/messages.
type request struct {
	Model         string         `json:"model"`
	MaxTokens     int            `json:"max_tokens"`
	System        []block        `json:"system,omitempty"`
	Messages      []turn         `json:"messages"`
	Tools         []tool         `json:"tools,omitempty"`
	ToolChoice    *toolChoice    `json:"tool_choice,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty"`
	TopP          *float64       `json:"top_p,omitempty"`
	TopK          jsontext.Value `json:"top_k,omitempty"`
	StopSequences []string       `json:"stop_sequences,omitempty"`
	OutputConfig  *outputConfig  `json:"output_config,omitempty"`
	Thinking      jsontext.Value `json:"thinking,omitempty"`
	CacheControl  jsontext.Value `json:"cache_control,omitempty"`
	ServiceTier   string         `json:"service_tier,omitempty"`
	Metadata      *metadata      `json:"metadata,omitempty"`
	Stream        bool           `json:"stream,omitempty"`
}

// Roles of turns.
const (
	roleUser      = "user"
	roleAssistant = "assistant"
	roleSystem    = "system"
)

// turn is one message of a conversation.
type turn struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

// Types of blocks.
const (
	blockText             = "text"
	blockImage            = "image"
	blockDocument         = "document"
	blockToolUse          = "tool_use"
	blockToolResult       = "tool_result"
	blockThinking         = "thinking"
	blockRedactedThinking = "redacted_thinking"
)

// block is one piece of a turn that is sent; what belongs to other types is empty.
type block struct {
	Type string `json:"type"`
	// Text is of a text.
	Text string `json:"text,omitempty"`
	// Source is of an image or a document.
	Source *source `json:"source,omitempty"`
	// Title is of a document.
	Title string `json:"title,omitempty"`
	// ID, Name and Input, an object, are of a tool's use.
	ID    string         `json:"id,omitempty"`
	Name  string         `json:"name,omitempty"`
	Input jsontext.Value `json:"input,omitempty"`
	// ToolUseID and Content are of a tool's result.
	ToolUseID    string         `json:"tool_use_id,omitempty"`
	Content      []block        `json:"content,omitempty"`
	CacheControl jsontext.Value `json:"cache_control,omitempty"`
}

// source is where an image or a document is: in base64, or at a URL.
type source struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type,omitempty"`
	Data      string `json:"data,omitempty"`
	URL       string `json:"url,omitempty"`
}

// tool is a function that the model may call.
type tool struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	InputSchema jsontext.Value `json:"input_schema"`
	Strict      bool           `json:"strict,omitempty"`
}

// toolChoice says which tools the model may or must call.
type toolChoice struct {
	Type                   string `json:"type"`
	Name                   string `json:"name,omitempty"`
	DisableParallelToolUse bool   `json:"disable_parallel_tool_use,omitempty"`
}

// outputConfig says how the answer shall be.
type outputConfig struct {
	Effort string  `json:"effort,omitempty"`
	Format *format `json:"format,omitempty"`
}

// format is a JSON schema that the answer keeps to.
type format struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"schema"`
}

// metadata tells of the request's origin.
type metadata struct {
	UserID string `json:"user_id"`
}
