package cohere

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// answer is a whole answer.
type answer struct {
	ID           string `json:"id"`
	FinishReason string `json:"finish_reason"`
	// Message is a text where the answer is an error.
	Message object[said] `json:"message"`
	Usage   *usage       `json:"usage"`
}

// said is what the model says.
type said struct {
	Content []struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Thinking string `json:"thinking"`
	} `json:"content"`
	ToolPlan  string `json:"tool_plan"`
	ToolCalls []call `json:"tool_calls"`
}

// path of the chat API.
const pathChat = "/v2/chat"

// Types of parts.
const (
	typeText     = "text"
	typeThinking = "thinking"
)

// Chat implements [llm.Adapter].
func (c *Client) Chat(ctx context.Context, call *llm.Call) (*events.ChatResponse, error) {
	body, err := c.body(call, false)
	if err != nil {
		return nil, err
	}
	var got answer
	if err := c.server.Call(ctx, wire.Request{Path: pathChat, Body: body, Key: call.Key}, &got); err != nil {
		return nil, err
	}
	used := got.Usage.chat()
	choice, err := c.choice(&got)
	if err != nil {
		return nil, llm.Paid(err, used)
	}
	return &events.ChatResponse{
		ID: got.ID, Object: events.ObjectChatCompletion, Created: time.Now().Unix(), Model: call.Model,
		Choices: []events.ChatChoice{choice}, Usage: used,
	}, nil
}

// choice makes the only choice of an answer.
func (c *Client) choice(got *answer) (choice events.ChatChoice, err error) {
	if got.Message.Text != "" && got.FinishReason == "" {
		return choice, c.failed(http.StatusServiceUnavailable, got.Message.Text)
	}
	choice.Message.Role = events.RoleAssistant
	if err := c.speak(&choice.Message, &got.Message.Value, got.FinishReason == maxTokens); err != nil {
		return choice, err
	}
	if choice.FinishReason, err = c.finish(got.FinishReason, "", len(choice.Message.ToolCalls)); err != nil {
		return choice, err
	}
	if !got.Message.Given {
		return choice, c.server.Bad("it has no message")
	}
	return choice, nil
}

// speak makes a message of what the model said; cut says that it was cut off, and what is missing is then not made up.
func (c *Client) speak(m *events.ChatMessage, got *said, cut bool) error {
	var texts, thoughts []string
	var ids native.Calls
	for i := range got.Content {
		switch p := &got.Content[i]; p.Type {
		case typeText:
			texts = append(texts, p.Text)
		case typeThinking:
			thoughts = append(thoughts, p.Thinking)
		default:
			return c.unknownPart(p.Type)
		}
	}
	thoughts = append(thoughts, got.ToolPlan)
	for i := range got.ToolCalls {
		made := &got.ToolCalls[i]
		if err := c.checkCall(made, &ids); err != nil {
			return err
		}
		arguments := made.Function.Arguments
		if arguments == "" && !cut {
			arguments = "{}"
		}
		m.ToolCalls = append(m.ToolCalls, events.ToolCall{
			ID: made.ID, Type: "function", Function: events.ToolFunction{Name: made.Function.Name, Arguments: arguments},
		})
	}
	m.ReasoningContent = strings.Join(thoughts, "")
	m.Content = events.TextContent(strings.Join(texts, ""))
	m.Content.Null = m.Content.Text == "" && len(m.ToolCalls) > 0
	return nil
}

// unknownPart is the fault of a part of an answer that has no place in OpenAI's shape. It stands for something that the model said, so
// leaving it out would change the answer.
func (c *Client) unknownPart(kind string) error {
	return c.server.Bad("it has a part of type %q, which nothing was asked for that needs it", c.server.Clean(kind, 40))
}

// checkCall checks the names of a call; ids are those of the calls before it.
func (c *Client) checkCall(made *call, ids *native.Calls) error {
	switch {
	case made.ID == "" || made.Function.Name == "":
		return c.server.Bad("a call has no id or no name")
	case made.Type != "" && made.Type != "function":
		return c.server.Bad("a call is of type %q instead of function", c.server.Clean(made.Type, 40))
	}
	return ids.Add(c.server, made.ID)
}

// maxTokens is the reason for which a model stops that may not say more.
const maxTokens = "MAX_TOKENS"

// finish is the table of reasons to stop; why explains an error, if the server does, calls is how many calls the answer has.
func (c *Client) finish(reason, why string, calls int) (string, error) {
	switch reason {
	case "COMPLETE", "STOP_SEQUENCE":
		if calls > 0 { // whoever reads the answer has to make them
			return events.FinishToolCalls, nil
		}
		return events.FinishStop, nil
	case "TOOL_CALL":
		if calls == 0 {
			return "", c.server.Bad("it stopped for a call and has none")
		}
		return events.FinishToolCalls, nil
	case maxTokens:
		return events.FinishLength, nil
	case "ERROR":
		if why == "" {
			why = "the model failed, and it is not said why"
		}
		return "", c.failed(http.StatusServiceUnavailable, why)
	case "TIMEOUT":
		if why == "" {
			why = "the model took too long"
		}
		return "", c.failed(http.StatusGatewayTimeout, why)
	default:
		return "", c.server.Bad("it stopped for the reason %q, which is not known", c.server.Clean(reason, 40))
	}
}

// failed is the fault of an answer that says itself that it failed, as if it had come with a status.
func (c *Client) failed(status int, why string) error {
	return llm.Failure{Provider: c.server.Provider(), Status: status, Message: c.server.Clean(why, maxWhy)}.Fault()
}

// maxWhy bounds the server's explanation of a failure, in bytes.
const maxWhy = 500
