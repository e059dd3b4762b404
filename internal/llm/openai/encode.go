package openai

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// encode writes a request: the usual ones without reflection, with the same result.
func (a *Adapter) encode(r *request, said []events.ChatMessage) ([]byte, error) {
	if body, ok := r.plain(said); ok {
		return body, nil
	}
	return a.Encode(r.with(said))
}

// plain writes a request in which nothing is but texts, numbers and switches.
func (r *request) plain(said []events.ChatMessage) (body []byte, ok bool) {
	if len(r.Extra) > 0 || r.Tools != nil || r.ToolChoice != nil || r.ResponseFormat != nil || len(r.Stop) > 0 {
		return nil, false
	}
	size := 160 + len(r.Model) + len(r.User)
	for i := range said {
		m := &said[i]
		if m.Content.Null || len(m.Content.Parts) > 0 || len(m.ToolCalls) > 0 {
			return nil, false
		}
		size += 48 + len(m.Content.Text) + len(m.Content.Text)/16
	}
	w := plainWriter{b: make([]byte, 0, size), ok: true}
	w.text(`{"model":`, r.Model)
	w.b = append(w.b, `,"messages":[`...)
	for i := range said {
		m := &said[i]
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(`{"role":`, m.Role)
		w.text(`,"content":`, m.Content.Text)
		w.some(`,"name":`, m.Name)
		w.some(`,"refusal":`, m.Refusal)
		w.some(`,"reasoning_content":`, m.ReasoningContent)
		w.some(`,"tool_call_id":`, m.ToolCallID)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
	w.options(r)
	return append(w.b, '}'), w.ok
}

// options writes what follows the messages.
func (w *plainWriter) options(r *request) {
	if r.Stream {
		w.b = append(w.b, `,"stream":true`...)
	}
	if r.StreamOptions != nil {
		if !r.StreamOptions.IncludeUsage {
			w.ok = false
		}
		w.b = append(w.b, `,"stream_options":{"include_usage":true}`...)
	}
	w.number(`,"temperature":`, r.Temperature)
	w.number(`,"top_p":`, r.TopP)
	w.whole(`,"max_completion_tokens":`, r.MaxCompletionTokens)
	w.whole(`,"max_tokens":`, r.MaxTokens)
	w.whole(`,"n":`, r.N)
	if r.Seed != nil {
		w.b = strconv.AppendInt(append(w.b, `,"seed":`...), *r.Seed, 10)
	}
	w.some(`,"user":`, r.User)
}

// plainWriter writes members, each behind what stands before its name.
type plainWriter struct {
	b  []byte
	ok bool // everything could be written
}

func (w *plainWriter) text(name, value string) {
	b, err := jsontext.AppendQuote(append(w.b, name...), value)
	w.b, w.ok = b, w.ok && err == nil
}

func (w *plainWriter) some(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *plainWriter) whole(name string, n *int) {
	if n != nil {
		w.b = strconv.AppendInt(append(w.b, name...), int64(*n), 10)
	}
}

// number writes a number as it is usual; very small ones look otherwise.
func (w *plainWriter) number(name string, f *float64) {
	const small, large = 1e-6, 1e6
	switch {
	case f == nil:
	case *f == 0:
		w.b = append(append(w.b, name...), '0')
		w.ok = w.ok && 1 / *f > 0 // there is a zero below zero
	case *f >= small && *f < large:
		w.b = strconv.AppendFloat(append(w.b, name...), *f, 'f', -1, 64)
	default:
		w.ok = false
	}
}
