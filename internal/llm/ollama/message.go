package ollama

import "github.com/go-json-experiment/json/jsontext"

// request is the body of POST /api/chat.
type request struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
	// Stream is always sent: Ollama streams unless it is false.
	Stream    bool           `json:"stream"`
	Tools     []tool         `json:"tools,omitempty"`
	Format    jsontext.Value `json:"format,omitempty"`
	Think     jsontext.Value `json:"think,omitempty"`
	KeepAlive jsontext.Value `json:"keep_alive,omitempty"`
	Options   options        `json:"options,omitzero"`
}

// options are the parameters of the model.
type options struct {
	Temperature      *float64       `json:"temperature,omitempty"`
	TopP             *float64       `json:"top_p,omitempty"`
	NumPredict       int            `json:"num_predict,omitempty"`
	Seed             *int64         `json:"seed,omitempty"`
	Stop             []string       `json:"stop,omitempty"`
	TopK             jsontext.Value `json:"top_k,omitempty"`
	NumCtx           jsontext.Value `json:"num_ctx,omitempty"`
	MinP             jsontext.Value `json:"min_p,omitempty"`
	FrequencyPenalty jsontext.Value `json:"frequency_penalty,omitempty"`
	PresencePenalty  jsontext.Value `json:"presence_penalty,omitempty"`
	RepeatPenalty    jsontext.Value `json:"repeat_penalty,omitempty"`
}

// message is one message of a conversation, or what an answer says.
type message struct {
	Role     string `json:"role"`
	Content  string `json:"content"`
	Thinking string `json:"thinking,omitempty"`
	// Images are in base64.
	Images     []string `json:"images,omitempty"`
	ToolCalls  []call   `json:"tool_calls,omitempty"`
	ToolName   string   `json:"tool_name,omitempty"`
	ToolCallID string   `json:"tool_call_id,omitempty"`
}

// call is a function call. Its arguments are an object.
type call struct {
	ID       string   `json:"id,omitempty"`
	Function function `json:"function"`
}

// function is what is called, and with what.
type function struct {
	// Index is the call's place among those of its message.
	Index     int            `json:"index"`
	Name      string         `json:"name"`
	Arguments jsontext.Value `json:"arguments"`
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
