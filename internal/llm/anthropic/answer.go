package anthropic

import (
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// answer is a whole answer, or what a stream starts with.
type answer struct {
	Type        string         `json:"type"`
	ID          string         `json:"id"`
	Model       string         `json:"model"`
	Content     []said         `json:"content"`
	StopReason  string         `json:"stop_reason"`
	StopDetails *stopDetails   `json:"stop_details"`
	Usage       *usage         `json:"usage"`
	Error       jsontext.Value `json:"error"`
}

// said is one block of an answer.
type said struct {
	Type     string         `json:"type"`
	Text     string         `json:"text"`
	Thinking string         `json:"thinking"`
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Input    jsontext.Value `json:"input"`
}

// stopDetails say why the model refused.
type stopDetails struct {
	Explanation string `json:"explanation"`
}

// refusal is the explanation, if there is one.
func (d *stopDetails) refusal() string {
	if d == nil {
		return ""
	}
	return d.Explanation
}

// path of the messages API.
const pathMessages = "/v1/messages"

// Chat implements [llm.Adapter].
func (c *Client) Chat(ctx context.Context, call *llm.Call) (*events.ChatResponse, error) {
	body, err := c.body(call, false)
	if err != nil {
		return nil, err
	}
	var got answer
	err = c.server.Call(ctx, wire.Request{Path: pathMessages, Body: body, Key: call.Key, Auth: auth, Header: c.header}, &got)
	if err != nil {
		return nil, err
	}
	used := got.Usage.chat()
	choice, err := c.choice(&got)
	if err != nil {
		return nil, llm.Paid(err, used)
	}
	res := &events.ChatResponse{
		ID: got.ID, Object: events.ObjectChatCompletion, Created: time.Now().Unix(), Model: got.Model,
		Choices: []events.ChatChoice{choice}, Usage: used,
	}
	if got.Usage != nil {
		res.ServiceTier = got.Usage.ServiceTier
	}
	return res, nil
}

// choice makes the only choice of an answer.
func (c *Client) choice(got *answer) (choice events.ChatChoice, err error) {
	if err := c.isMessage(got); err != nil {
		return choice, err
	}
	if got.Content == nil {
		return choice, c.server.Bad("it has no content")
	}
	choice.Message.Role = events.RoleAssistant
	if err := c.speak(&choice.Message, got.Content); err != nil {
		return choice, err
	}
	if got.StopReason == stopRefusal {
		choice.Message.Refusal = got.StopDetails.refusal()
	}
	choice.FinishReason, err = c.finish(got.StopReason, len(choice.Message.ToolCalls))
	return choice, err
}

// isMessage checks that an answer is one; it may be an error in spite of its status.
func (c *Client) isMessage(got *answer) error {
	switch {
	case got.Type == "message":
		return nil
	case native.Given(got.Error):
		return c.server.InBand(append(append([]byte(`{"error":`), got.Error...), '}'))
	default:
		return c.server.Bad("it is of type %q instead of message", c.server.Clean(got.Type, 40))
	}
}

// speak makes a message of the blocks of an answer.
func (c *Client) speak(m *events.ChatMessage, blocks []said) error {
	var texts, thoughts []string
	var ids native.Calls
	for i := range blocks {
		b := &blocks[i]
		switch b.Type {
		case blockText:
			texts = append(texts, b.Text)
		case blockThinking:
			thoughts = append(thoughts, b.Thinking)
		case blockRedactedThinking: // in a cipher
		case blockToolUse:
			if err := c.checkCall(b, &ids); err != nil {
				return err
			}
			arguments, ok := native.Object(b.Input)
			if !ok {
				return c.server.Bad("the input of content[%d], a call, is not an object", i)
			}
			m.ToolCalls = append(m.ToolCalls, events.ToolCall{
				ID: b.ID, Type: "function", Function: events.ToolFunction{Name: b.Name, Arguments: arguments},
			})
		default:
			return c.unknownBlock(b.Type)
		}
	}
	m.ReasoningContent = strings.Join(thoughts, "")
	m.Content = events.TextContent(strings.Join(texts, ""))
	m.Content.Null = m.Content.Text == "" && len(m.ToolCalls) > 0
	return nil
}

// checkCall checks the names of a call; ids are those of the calls before it.
func (c *Client) checkCall(b *said, ids *native.Calls) error {
	if b.ID == "" || b.Name == "" {
		return c.server.Bad("a call has no id or no name")
	}
	return ids.Add(c.server, b.ID)
}

// unknownBlock is the fault of a block that has no place in OpenAI's shape. It stands for something that the model said or did, so
// leaving it out would change the answer.
func (c *Client) unknownBlock(kind string) error {
	return c.server.Bad("it has a block of type %q, which nothing was asked for that needs it", c.server.Clean(kind, 40))
}

// stopRefusal is the reason for which a model stops that refuses.
const stopRefusal = "refusal"

// finish is the table of reasons to stop; calls is how many calls the answer has.
func (c *Client) finish(reason string, calls int) (string, error) {
	switch reason {
	case "end_turn", "stop_sequence", "pause_turn":
		if calls > 0 { // whoever reads the answer has to make them
			return events.FinishToolCalls, nil
		}
		return events.FinishStop, nil
	case "tool_use":
		if calls == 0 {
			return "", c.server.Bad("it stopped for a call and has none")
		}
		return events.FinishToolCalls, nil
	case "max_tokens", "model_context_window_exceeded":
		return events.FinishLength, nil
	case stopRefusal:
		return events.FinishContentFilter, nil
	default:
		return "", c.server.Bad("it stopped for the reason %q, which is not known", c.server.Clean(reason, 40))
	}
}
