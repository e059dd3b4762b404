package llmtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// outcome is what came of a call, in one form for whole answers and streams.
type outcome struct {
	said  map[int]Said
	usage *Usage
}

// usageOf reads a usage.
func usageOf(u *events.ChatUsage) (*Usage, error) {
	if u == nil {
		return nil, nil //nolint:nilnil // a server need not count
	}
	if u.PromptTokens < 0 || u.CompletionTokens < 0 || u.TotalTokens < 0 {
		return nil, fmt.Errorf("usage has negative numbers: %+v", *u)
	}
	if u.TotalTokens != u.PromptTokens+u.CompletionTokens {
		return nil, fmt.Errorf("usage does not add up: %+v", *u)
	}
	text, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	var details struct {
		Prompt struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Completion struct {
			Reasoning int `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
	if err := json.Unmarshal(text, &details); err != nil {
		return nil, err
	}
	used := &Usage{Prompt: u.PromptTokens, Cached: details.Prompt.Cached, Completion: u.CompletionTokens, Reasoning: details.Completion.Reasoning}
	if used.Cached < 0 || used.Cached > used.Prompt || used.Reasoning < 0 || used.Reasoning > used.Completion {
		return nil, fmt.Errorf("the details of the usage are not part of it: %s", text)
	}
	return used, nil
}

// known are our finish reasons.
func known(finish string) bool {
	return slices.Contains([]string{events.FinishStop, events.FinishLength, events.FinishToolCalls, events.FinishContentFilter}, finish)
}

// judge checks one choice that is complete.
func judge(index int, said Said) error {
	switch {
	case index < 0 || index >= 128:
		return fmt.Errorf("choice %d", index)
	case !known(said.Finish):
		return fmt.Errorf("choice %d: finish reason %q", index, said.Finish)
	case said.Finish == events.FinishToolCalls && len(said.Calls) == 0:
		return fmt.Errorf("choice %d: finish reason tool_calls, and no call", index)
	case said.Finish == events.FinishStop && len(said.Calls) > 0:
		return fmt.Errorf("choice %d: finish reason stop, and %d tool calls", index, len(said.Calls))
	}
	for i, call := range said.Calls {
		if call.ID == "" || call.Name == "" {
			return fmt.Errorf("choice %d: call %d has the id %q and the name %q", index, i, call.ID, call.Name)
		}
		if slices.ContainsFunc(said.Calls[:i], func(other Called) bool { return other.ID == call.ID }) {
			return fmt.Errorf("choice %d: the id %q comes twice", index, call.ID)
		}
	}
	return nil
}

// whole reads and checks a whole answer.
func whole(res *events.ChatResponse) (*outcome, error) {
	if res == nil {
		return nil, errors.New("neither an answer nor an error")
	}
	if res.Object != events.ObjectChatCompletion || res.Created <= 0 || len(res.Choices) == 0 {
		return nil, fmt.Errorf("object %q, created %d, %d choices", res.Object, res.Created, len(res.Choices))
	}
	out := &outcome{said: make(map[int]Said)}
	for _, choice := range res.Choices {
		said := Said{Text: choice.Message.Content.String(), Finish: choice.FinishReason}
		for _, call := range choice.Message.ToolCalls {
			if call.Type != "function" {
				return nil, fmt.Errorf("a tool call of type %q", call.Type)
			}
			said.Calls = append(said.Calls, Called{call.ID, call.Function.Name, call.Function.Arguments})
		}
		if _, twice := out.said[choice.Index]; twice || choice.Message.Role != events.RoleAssistant {
			return nil, fmt.Errorf("choice %d comes twice, or has the role %q", choice.Index, choice.Message.Role)
		}
		if err := judge(choice.Index, said); err != nil {
			return nil, err
		}
		out.said[choice.Index] = said
	}
	var err error
	out.usage, err = usageOf(res.Usage)
	return out, err
}

// joiner joins the chunks of a stream, as a reader of it does, and keeps nothing of them.
type joiner struct {
	chunks int
	said   map[int]*Said
	usage  *Usage
}

// add takes one chunk.
func (j *joiner) add(c *events.ChatChunk) error {
	j.chunks++
	switch {
	case c.Object != events.ObjectChatCompletionChunk || c.Created <= 0 || c.Choices == nil:
		return fmt.Errorf("chunk %d: object %q, created %d, choices %v", j.chunks, c.Object, c.Created, c.Choices)
	case j.usage != nil:
		return fmt.Errorf("chunk %d comes after the usage", j.chunks)
	case c.Usage != nil && len(c.Choices) > 0:
		return fmt.Errorf("chunk %d has usage and choices", j.chunks)
	}
	var err error
	if j.usage, err = usageOf(c.Usage); err != nil {
		return err
	}
	if j.said == nil {
		j.said = make(map[int]*Said)
	}
	for _, choice := range c.Choices {
		said := j.said[choice.Index]
		if said == nil {
			said = &Said{}
			j.said[choice.Index] = said
		}
		if said.Finish != "" {
			return fmt.Errorf("chunk %d: choice %d goes on after its end", j.chunks, choice.Index)
		}
		said.Text += choice.Delta.Content
		for _, call := range choice.Delta.ToolCalls {
			if err := said.join(call); err != nil {
				return fmt.Errorf("chunk %d: %w", j.chunks, err)
			}
		}
		if choice.FinishReason != nil {
			said.Finish = *choice.FinishReason
		}
	}
	return nil
}

// join adds a piece of a tool call.
func (s *Said) join(piece events.ToolCall) error {
	switch {
	case piece.Index == nil || *piece.Index < 0 || *piece.Index > len(s.Calls):
		return fmt.Errorf("a piece of a tool call without a usable index (%d calls so far)", len(s.Calls))
	case *piece.Index == len(s.Calls):
		if piece.ID == "" || piece.Function.Name == "" || piece.Type != "function" {
			return fmt.Errorf("a tool call begins with id %q, name %q and type %q", piece.ID, piece.Function.Name, piece.Type)
		}
		s.Calls = append(s.Calls, Called{ID: piece.ID, Name: piece.Function.Name})
	case piece.ID != "" || piece.Function.Name != "":
		return errors.New("the id or name of a tool call comes again")
	}
	s.Calls[*piece.Index].Arguments += piece.Function.Arguments
	return nil
}

// outcome reads and checks what a stream that ended well said.
func (j *joiner) outcome() (*outcome, error) {
	if len(j.said) == 0 {
		return nil, errors.New("a stream without choices ended well")
	}
	out := &outcome{said: make(map[int]Said), usage: j.usage}
	for index, said := range j.said {
		if err := judge(index, *said); err != nil {
			return nil, err
		}
		out.said[index] = *said
	}
	return out, nil
}
