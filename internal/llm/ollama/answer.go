package ollama

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// answer is a whole answer, or one line of a stream.
type answer struct {
	Model       string         `json:"model"`
	Message     *message       `json:"message"`
	Done        bool           `json:"done"`
	DoneReason  string         `json:"done_reason"`
	PromptCount *float64       `json:"prompt_eval_count"`
	Count       *float64       `json:"eval_count"`
	Error       jsontext.Value `json:"error"`
}

// path of the chat API.
const pathChat = "/api/chat"

// Chat implements [llm.Adapter].
func (c *Client) Chat(ctx context.Context, call *llm.Call) (*events.ChatResponse, error) {
	body, err := c.body(call, false)
	if err != nil {
		return nil, err
	}
	var got answer
	if err := c.server.Call(ctx, wire.Request{Path: pathChat, Body: body, Key: call.Key}, &got); err != nil {
		return nil, hint(err, call.Model)
	}
	used := got.usage()
	choice, err := c.choice(&got)
	if err != nil {
		return nil, llm.Paid(err, used)
	}
	return &events.ChatResponse{
		ID: newID(), Object: events.ObjectChatCompletion, Created: time.Now().Unix(), Model: model(&got, call),
		Choices: []events.ChatChoice{choice}, Usage: used,
	}, nil
}

// choice makes the only choice of an answer.
func (c *Client) choice(got *answer) (choice events.ChatChoice, err error) {
	switch {
	case native.Given(got.Error):
		return choice, c.inBand(got.Error)
	case got.Message == nil:
		return choice, c.server.Bad("it has no message")
	case !got.Done:
		return choice, c.server.Bad("it is not done")
	}
	m := events.ChatMessage{
		Role: events.RoleAssistant, Content: events.TextContent(got.Message.Content), ReasoningContent: got.Message.Thinking,
	}
	var ids native.Calls
	for i := range got.Message.ToolCalls {
		made, err := c.call(&got.Message.ToolCalls[i], &ids)
		if err != nil {
			return choice, err
		}
		m.ToolCalls = append(m.ToolCalls, made)
	}
	m.Content.Null = m.Content.Text == "" && len(ids) > 0
	reason, err := c.finish(got.DoneReason, len(ids))
	return events.ChatChoice{Message: m, FinishReason: reason}, err
}

// newID makes the id of an answer.
func newID() string { return "ollama-" + rand.Text() }

// model is the model that answered.
func model(got *answer, call *llm.Call) string {
	if got.Model == "" {
		return call.Model
	}
	return got.Model
}

// hint adds to the fault of a model that is not there what makes it be there.
func hint(err error, model string) error {
	fault := llm.FaultOf(err)
	if fault.Class == llm.ClassModel {
		fault.Err.Message += "; to have it: ollama pull " + llm.Bound(model, maxModel)
	}
	return fault
}

// maxModel bounds the name of a model in an error, in bytes.
const maxModel = 120

// inBand is the fault of an error that came with status 200.
func (c *Client) inBand(said jsontext.Value) error {
	return c.server.InBand(append(append([]byte(`{"error":`), said...), '}'))
}

// call translates a call; ids are those of the calls before it.
func (c *Client) call(made *call, ids *native.Calls) (events.ToolCall, error) {
	if made.Function.Name == "" {
		return events.ToolCall{}, c.server.Bad("a call has no name")
	}
	arguments := "{}"
	if native.Given(made.Function.Arguments) {
		var ok bool
		if arguments, ok = native.Object(made.Function.Arguments); !ok {
			return events.ToolCall{}, c.server.Bad("the arguments of a call are not an object")
		}
	}
	id := made.ID
	if id == "" { // older servers give none
		id = "call_" + rand.Text()
	}
	if err := ids.Add(c.server, id); err != nil {
		return events.ToolCall{}, err
	}
	return events.ToolCall{ID: id, Type: "function", Function: events.ToolFunction{Name: made.Function.Name, Arguments: arguments}}, nil
}

// finish is the table of reasons to stop; calls is how many calls the answer has.
func (c *Client) finish(reason string, calls int) (string, error) {
	switch reason {
	case "stop", "": // older servers do not say it
		if calls > 0 { // whoever reads the answer has to make them
			return events.FinishToolCalls, nil
		}
		return events.FinishStop, nil
	case "length":
		return events.FinishLength, nil
	case "load", "unload":
		return "", &llm.Fault{Class: llm.ClassProvider, Err: llm.Unavailable(c.server.Provider(), "it did nothing with the model but %s it", reason)}
	default:
		return "", c.server.Bad("it stopped for the reason %q, which is not known", c.server.Clean(reason, maxReason))
	}
}

// maxReason bounds a reason to stop in an error, in bytes.
const maxReason = 40

// usage writes the counts as OpenAI would; nil when there are none.
func (a *answer) usage() *events.ChatUsage {
	if a.PromptCount == nil && a.Count == nil {
		return nil
	}
	out := &events.ChatUsage{PromptTokens: count(a.PromptCount), CompletionTokens: count(a.Count)}
	out.TotalTokens = out.PromptTokens + out.CompletionTokens
	return out
}

// count is a count that may be missing.
func count(n *float64) int {
	if n == nil {
		return 0
	}
	return native.Count(*n)
}
