package cohere

import "github.com/go-json-experiment/json/jsontext"

// request is the body of POST /v2/chat.
type request struct {
	Model            string         `json:"model"`
	Stream           bool           `json:"stream"`
	Messages         []message      `json:"messages"`
	Tools            []tool         `json:"tools,omitempty"`
	StrictTools      bool           `json:"strict_tools,omitempty"`
	ToolChoice       string         `json:"tool_choice,omitempty"`
	ResponseFormat   *format        `json:"response_format,omitempty"`
	MaxTokens        int            `json:"max_tokens,omitempty"`
	StopSequences    []string       `json:"stop_sequences,omitempty"`
	Temperature      *float64       `json:"temperature,omitempty"`
	P                *float64       `json:"p,omitempty"`
	K                jsontext.Value `json:"k,omitempty"`
	Seed             *int64         `json:"seed,omitempty"`
	FrequencyPenalty *float64       `json:"frequency_penalty,omitempty"`
	PresencePenalty  *float64       `json:"presence_penalty,omitempty"`
	Thinking         jsontext.Value `json:"thinking,omitempty"`
	SafetyMode       jsontext.Value `json:"safety_mode,omitempty"`
	Priority         jsontext.Value `json:"priority,omitempty"`
}

// message is one message of a conversation.
type message struct {
	Role string `json:"role"`
	// Content is a string or a []part; nil is none.
	Content    any    `json:"content,omitempty"`
	ToolPlan   string `json:"tool_plan,omitempty"`
	ToolCalls  []call `json:"tool_calls,omitempty"`
	ToolCallID string `json:"tool_call_id,omitempty"`
}

// part is one part of a message that is sent.
type part struct {
	Type  string `json:"type"`
	Text  string `json:"text,omitempty"`
	Image *image `json:"image_url,omitempty"`
}

// image is where an image is.
type image struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitempty"`
}

// call is a function call, whole or, in a stream, a piece of one.
type call struct {
	ID       string   `json:"id,omitempty"`
	Type     string   `json:"type,omitempty"`
	Function function `json:"function"`
}

// function is what is called, and with what: the text of a JSON object.
type function struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments,omitempty"`
}

// tool is a function that the model may call.
type tool struct {
	Type     string   `json:"type"`
	Function declared `json:"function"`
}

// declared is what the model is told of a function.
type declared struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Parameters  jsontext.Value `json:"parameters"`
}

// format is the format that the answer shall have.
type format struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"json_schema,omitempty"`
}
