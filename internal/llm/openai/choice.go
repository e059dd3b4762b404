package openai

import (
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// choiceState is what is remembered of one choice of a stream.
type choiceState struct {
	index  int
	finish string // empty until it ends
	calls  []callState
}

// callState is what is remembered of one tool call.
type callState struct {
	index int // the server's
	id    string
}

// maxCalls bounds the tool calls of one choice.
const maxCalls = 1024

// state finds the state of a choice, or makes it.
func (s *stream) state(index int) *choiceState {
	for i := range s.choices {
		if s.choices[i].index == index {
			return &s.choices[i]
		}
	}
	s.choices = append(s.choices, choiceState{index: index})
	return &s.choices[len(s.choices)-1]
}

// choice makes our piece of a choice; ok tells that there is something in it for a reader.
func (s *stream) choice(in *chunkChoice) (out events.ChatChunkChoice, ok bool, err error) {
	if in.Index < 0 || in.Index >= maxChoices {
		return out, false, s.a.Bad("a chunk for choice %d", in.Index)
	}
	state := s.state(in.Index)
	d := &in.Delta
	out = events.ChatChunkChoice{
		Index: in.Index, Logprobs: there(in.Logprobs),
		Delta: events.ChatDelta{
			Content: d.Content.String(), Refusal: d.Refusal, ReasoningContent: thought(d.ReasoningContent, d.Reasoning),
			Annotations: there(d.Annotations),
		},
	}
	for i := range d.ToolCalls {
		piece, err := s.piece(state, &d.ToolCalls[i])
		if err != nil {
			return out, false, err
		}
		out.Delta.ToolCalls = append(out.Delta.ToolCalls, piece)
	}
	empty := out.Delta.Content == "" && out.Delta.Refusal == "" && out.Delta.ReasoningContent == "" &&
		out.Delta.ToolCalls == nil && out.Delta.Annotations == nil && out.Logprobs == nil
	if state.finish != "" { // filters may have their say after the end, and some servers repeat it with the usage
		if !empty {
			return out, false, s.a.Bad("choice %d goes on after its end", in.Index)
		}
		return out, false, nil
	}
	if d.Role == events.RoleAssistant {
		out.Delta.Role, empty = events.RoleAssistant, false
	}
	if in.FinishReason != "" {
		finish, err := s.a.finish(in.FinishReason, len(state.calls))
		if err != nil {
			return out, false, err
		}
		state.finish = finish
		out.FinishReason, empty = &finish, false
	}
	return out, !empty, nil
}

// piece makes our piece of a tool call: indexes count from 0, id, type and name come once. Servers differ: some give no index, some the
// same one to all calls, some repeat the id.
func (s *stream) piece(state *choiceState, in *toolCall) (events.ToolCall, error) {
	at := -1
	switch {
	case in.Index != nil:
		for i, call := range state.calls {
			if call.index == *in.Index {
				at = i // the last one, when several have the same index
			}
		}
	case in.ID == "" && in.Function.Name == "":
		at = len(state.calls) - 1
	}
	if at >= 0 && (in.ID == "" || in.ID == state.calls[at].id) {
		return events.ToolCall{Index: &at, Function: events.ToolFunction{Arguments: string(in.Function.Arguments)}}, nil
	}
	if in.Function.Name == "" || in.Type != typeFunction && in.Type != "" || len(state.calls) == maxCalls {
		return events.ToolCall{}, s.a.Bad("tool call %d begins with the name %q and the type %q",
			len(state.calls), s.a.Clean(in.Function.Name, 80), s.a.Clean(in.Type, 40))
	}
	at = len(state.calls)
	call := callState{index: -1, id: in.ID}
	if in.Index != nil {
		call.index = *in.Index
	}
	for _, other := range state.calls {
		if other.id == call.id {
			call.id = ""
		}
	}
	if call.id == "" {
		call.id = newID()
	}
	state.calls = append(state.calls, call)
	return events.ToolCall{
		Index: &at, ID: call.id, Type: typeFunction, Function: events.ToolFunction{Name: in.Function.Name, Arguments: string(in.Function.Arguments)},
	}, nil
}
