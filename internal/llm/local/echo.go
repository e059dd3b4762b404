package local

import (
	"context"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// EchoModel is the name of the text model.
const EchoModel = "echo"

// Model is the [llm.Adapter] of the text model. It answers a conversation with its last user message, after the label "echo: ". It
// honours token limits (its tokens are words) and stop texts, and refuses what an echo cannot do; settings that cannot change an echo,
// such as the temperature, are accepted.
type Model struct{}

// Interface guards.
var (
	_ llm.Adapter = Model{}
	_ llm.Lister  = Model{}
)

// Models implements [llm.Lister].
func (Model) Models(context.Context, secret.Value) ([]string, error) { return []string{EchoModel}, nil }

// Chat implements [llm.Adapter].
func (Model) Chat(ctx context.Context, call *llm.Call) (*events.ChatResponse, error) {
	answer, err := answer(ctx, call.Request)
	if err != nil {
		return nil, llm.FaultOf(err)
	}
	return &events.ChatResponse{
		ID: answer.id, Object: events.ObjectChatCompletion, Created: time.Now().Unix(), Model: EchoModel,
		Choices: []events.ChatChoice{{
			Message:      events.ChatMessage{Role: events.RoleAssistant, Content: events.TextContent(strings.Join(answer.pieces, ""))},
			FinishReason: answer.finish,
		}},
		Usage: &answer.usage,
	}, nil
}

// Stream implements [llm.Adapter]: one chunk a word.
func (Model) Stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	answer, err := answer(ctx, call.Request)
	if err != nil {
		return llm.FaultOf(err)
	}
	chunk := events.ChatChunk{ID: answer.id, Object: events.ObjectChatCompletionChunk, Created: time.Now().Unix(), Model: EchoModel}
	for i, piece := range answer.pieces {
		if err := ended(ctx); err != nil {
			return llm.FaultOf(err)
		}
		delta := events.ChatDelta{Content: piece}
		if i == 0 {
			delta.Role = events.RoleAssistant
		}
		chunk.Choices = []events.ChatChunkChoice{{Delta: delta}}
		if err := emit(&chunk); err != nil {
			return err
		}
	}
	chunk.Choices = []events.ChatChunkChoice{{FinishReason: &answer.finish}}
	if err := emit(&chunk); err != nil {
		return err
	}
	chunk.Choices, chunk.Usage = []events.ChatChunkChoice{}, &answer.usage
	return emit(&chunk)
}

// ended is the error of a context that has ended.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	if fault, ok := errors.AsType[*llm.Fault](context.Cause(ctx)); ok { // who ended it says why
		return fault
	}
	e := *events.AsError(context.Cause(ctx))
	e.Provider = Provider
	return &e
}

// echo is one answer, cut into words that keep their white space.
type echo struct {
	id, finish string
	pieces     []string
	usage      events.ChatUsage
}

// answer computes the answer.
func answer(ctx context.Context, req *events.ChatRequest) (*echo, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	if err := refuse(req); err != nil {
		return nil, err
	}
	said, found := "", false
	a := &echo{finish: events.FinishStop}
	for i, m := range req.Conversation() {
		for _, p := range m.Content.Parts {
			if p.Type != "text" {
				return nil, llm.Refuse(Provider, "messages[%d].content: an echo takes text only, not %s", i, llm.Bound(p.Type, 40))
			}
		}
		a.usage.PromptTokens += len(strings.Fields(m.Content.String()))
		if m.Role == events.RoleUser {
			said, found = m.Content.String(), true
		}
	}
	if !found {
		e := events.Errorf(events.CodeInvalidArgument, "messages: %s/%s repeats the last user message, and there is none", Provider, EchoModel)
		e.Provider = Provider
		return nil, e
	}
	content := "echo: " + said
	for _, stop := range req.Stop {
		if stop != "" {
			content, _, _ = strings.Cut(content, stop)
		}
	}
	a.pieces = pieces(content)
	if limit, ok := req.TokenLimit(); ok && limit < len(a.pieces) {
		a.pieces, a.finish = a.pieces[:limit], events.FinishLength
	}
	a.usage.CompletionTokens = len(a.pieces)
	a.usage.TotalTokens = a.usage.PromptTokens + a.usage.CompletionTokens

	f := fnv.New64a()
	_, _ = f.Write([]byte(content)) // the Write of a hash never fails
	a.id = "echo-" + strconv.FormatUint(f.Sum64(), 16)
	return a, nil
}

// refuse names the first field that an echo cannot honour.
func refuse(req *events.ChatRequest) error {
	switch {
	case llm.Given(req.Tools):
		return cannot("tools")
	case llm.Given(req.ToolChoice) && string(req.ToolChoice) != `"none"` && string(req.ToolChoice) != `"auto"`:
		return cannot("tool_choice")
	case llm.WantsFormat(req):
		return cannot("response_format")
	case req.N != nil && *req.N > 1:
		return cannot("n")
	}
	for _, field := range slices.Sorted(maps.Keys(req.Extra)) {
		switch field {
		case "frequency_penalty", "presence_penalty", "logit_bias", "reasoning_effort", "verbosity", "parallel_tool_calls",
			"metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key":
		default:
			return cannot(llm.Bound(field, 40))
		}
	}
	return nil
}

// cannot is the refusal of one field.
func cannot(field string) error {
	return llm.Refuse(Provider, "%s: %s/%s only repeats what was said", field, Provider, EchoModel)
}

// pieces cuts a text behind the white space that follows each word; joined they are the text again.
func pieces(s string) []string {
	var list []string
	start, space := 0, false
	for i, r := range s {
		if unicode.IsSpace(r) {
			space = true
		} else if space {
			list, start, space = append(list, s[start:i]), i, false
		}
	}
	if start < len(s) {
		list = append(list, s[start:])
	}
	return list
}
