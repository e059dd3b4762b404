package generator

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// encode writes JSON as encoding/json does, but for < and > and &, which stay as they are.
func encode(v any) ([]byte, error) {
	return json.Marshal(v, jsonv1.OmitEmptyWithLegacySemantics(true))
}

// writer writes what encode does of answers and of their chunks, which are many, without reflection: names in their order, each
// behind a comma or a brace. What is rare is left to encode.
type writer struct {
	b   []byte
	err error
}

// text writes a member that is a text.
func (w *writer) text(name, value string) {
	w.b = append(w.b, name...)
	b, err := jsontext.AppendQuote(w.b, value)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.b = b
}

// some writes a member that is a text, unless it is empty.
func (w *writer) some(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// number writes a member that is a whole number.
func (w *writer) number(name string, n int64) {
	w.b = strconv.AppendInt(append(w.b, name...), n, 10)
}

// rare writes a member of any other kind.
func (w *writer) rare(name string, v any) {
	text, err := encode(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.b = append(append(w.b, name...), text...)
}

// encodeResponse writes a whole answer into room, or into larger memory.
func encodeResponse(a *events.ChatResponse, room []byte) ([]byte, error) {
	size := 512
	for i := range a.Choices {
		m := &a.Choices[i].Message
		size += 128 + len(m.Content.Text) + len(m.Content.Text)/16 + len(m.ReasoningContent)
	}
	w := writer{b: slices.Grow(room[:0], size)}
	w.text(`{"id":`, a.ID)
	w.text(`,"object":`, a.Object)
	w.number(`,"created":`, a.Created)
	w.text(`,"model":`, a.Model)
	w.choices(a.Choices)
	w.usage(a.Usage)
	w.some(`,"system_fingerprint":`, a.SystemFingerprint)
	w.some(`,"service_tier":`, a.ServiceTier)
	return w.end(a)
}

// choices writes those of a whole answer.
func (w *writer) choices(choices []events.ChatChoice) {
	w.b = append(w.b, `,"choices":[`...)
	for i := range choices {
		c := &choices[i]
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.number(`{"index":`, int64(c.Index))
		w.message(&c.Message)
		w.text(`,"finish_reason":`, c.FinishReason)
		if len(c.Logprobs) > 0 {
			w.rare(`,"logprobs":`, c.Logprobs)
		}
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

// message writes a message.
func (w *writer) message(m *events.ChatMessage) {
	w.text(`,"message":{"role":`, m.Role)
	if m.Content.Null || len(m.Content.Parts) > 0 {
		w.rare(`,"content":`, m.Content)
	} else {
		w.text(`,"content":`, m.Content.Text)
	}
	w.some(`,"name":`, m.Name)
	w.some(`,"refusal":`, m.Refusal)
	w.some(`,"reasoning_content":`, m.ReasoningContent)
	if len(m.ToolCalls) > 0 {
		w.rare(`,"tool_calls":`, m.ToolCalls)
	}
	w.some(`,"tool_call_id":`, m.ToolCallID)
	if len(m.Annotations) > 0 {
		w.rare(`,"annotations":`, m.Annotations)
	}
	w.b = append(w.b, '}')
}

// usage writes a count of tokens, if there is one.
func (w *writer) usage(u *events.ChatUsage) {
	if u == nil {
		return
	}
	w.number(`,"usage":{"prompt_tokens":`, int64(u.PromptTokens))
	w.number(`,"completion_tokens":`, int64(u.CompletionTokens))
	w.number(`,"total_tokens":`, int64(u.TotalTokens))
	if u.PromptTokensDetails != nil {
		w.rare(`,"prompt_tokens_details":`, u.PromptTokensDetails)
	}
	if u.CompletionTokensDetails != nil {
		w.rare(`,"completion_tokens_details":`, u.CompletionTokensDetails)
	}
	if u.Cost != nil {
		w.rare(`,"cost":`, *u.Cost)
	}
	if u.Cached {
		w.b = append(w.b, `,"cached":true`...)
	}
	w.b = append(w.b, '}')
}

// encodeChunk writes a piece of an answer into room, or into larger memory.
func encodeChunk(c *events.ChatChunk, room []byte) ([]byte, error) {
	w := writer{b: slices.Grow(room[:0], 384)}
	w.text(`{"id":`, c.ID)
	w.text(`,"object":`, c.Object)
	w.number(`,"created":`, c.Created)
	w.text(`,"model":`, c.Model)
	w.b = append(w.b, `,"choices":[`...)
	for i := range c.Choices {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.piece(&c.Choices[i])
	}
	w.b = append(w.b, ']')
	w.usage(c.Usage)
	w.some(`,"system_fingerprint":`, c.SystemFingerprint)
	w.some(`,"service_tier":`, c.ServiceTier)
	return w.end(c)
}

// end ends the object. What could not be written, because a text is not UTF-8, is left to encode altogether.
func (w *writer) end(v any) ([]byte, error) {
	if w.err != nil {
		return encode(v)
	}
	return append(w.b, '}'), nil
}

// piece writes what a chunk adds to one choice.
func (w *writer) piece(c *events.ChatChunkChoice) {
	w.number(`{"index":`, int64(c.Index))
	d := &c.Delta
	w.b = append(w.b, `,"delta":{`...)
	begin := len(w.b)
	w.some(`,"role":`, d.Role)
	w.some(`,"content":`, d.Content)
	w.some(`,"refusal":`, d.Refusal)
	w.some(`,"reasoning_content":`, d.ReasoningContent)
	if len(d.ToolCalls) > 0 {
		w.rare(`,"tool_calls":`, d.ToolCalls)
	}
	if len(d.Annotations) > 0 {
		w.rare(`,"annotations":`, d.Annotations)
	}
	if len(w.b) > begin { // no comma before the first
		w.b = append(w.b[:begin], w.b[begin+1:]...)
	}
	w.b = append(w.b, '}')
	if c.FinishReason == nil {
		w.b = append(w.b, `,"finish_reason":null`...)
	} else {
		w.text(`,"finish_reason":`, *c.FinishReason)
	}
	if len(c.Logprobs) > 0 {
		w.rare(`,"logprobs":`, c.Logprobs)
	}
	w.b = append(w.b, '}')
}
