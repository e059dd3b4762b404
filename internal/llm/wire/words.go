package wire

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// words are what a server says of its failure, wherever it says it: at the top of the body, or inside of "error". Each is of any type.
type words struct {
	Error     json.RawMessage `json:"error"`
	Message   json.RawMessage `json:"message"`
	Msg       json.RawMessage `json:"msg"`
	Detail    json.RawMessage `json:"detail"`
	Loc       json.RawMessage `json:"loc"` // where it is wrong
	Type      json.RawMessage `json:"type"`
	ErrorType json.RawMessage `json:"error_type"`
	Code      json.RawMessage `json:"code"`
	Status    json.RawMessage `json:"status"`
	Param     json.RawMessage `json:"param"`
}

// Bounds on what is read of a text that is a list of texts, or stands in other things.
const (
	maxNested = 3
	maxListed = 3
)

// ReadError reads the error bodies that are about: OpenAI's and Anthropic's {"error": {…}}, also in a list, as Google has it; the flat
// {"object": "error", "message": "…", "type": "…", "code": 400} of vLLM and Mistral; {"error": "…"} of Hugging Face, Ollama and
// text-embeddings-inference, {"message": "…"} of Cohere, {"detail": "…"} of Python servers, with their lists of what is wrong where.
// What is none of them has no message.
func ReadError(body []byte) llm.Failure {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var outer, inner words
	if json.Unmarshal(body, &outer) != nil {
		return llm.Failure{}
	}
	if json.Unmarshal(outer.Error, &inner) == nil {
		if f := inner.failure(); f.Message != "" || len(f.Reasons) > 0 || f.Status != 0 {
			return f
		}
	}
	return outer.failure()
}

// failure is what the words say.
func (w *words) failure() llm.Failure {
	f := llm.Failure{Message: w.text(0), Param: text(w.Param)}
	for _, raw := range []json.RawMessage{w.Type, w.ErrorType, w.Code, w.Status, w.Error} {
		if reason := text(raw); reason != "" && reason != f.Message {
			f.Reasons = append(f.Reasons, reason)
		}
	}
	for _, raw := range []json.RawMessage{w.Status, w.Code} {
		if n, err := strconv.Atoi(strings.Trim(string(raw), `"`)); err == nil { // else it is a word, or not there
			f.Status = n
		}
	}
	return f
}

// text is the message; nested is how deep it has been searched for.
func (w *words) text(nested int) string {
	for _, raw := range []json.RawMessage{w.Message, w.Msg, w.Error, w.Detail} {
		said := joined(raw, nested)
		if said == "" {
			continue
		}
		var loc []any
		if json.Unmarshal(w.Loc, &loc) != nil || len(loc) == 0 {
			return said
		}
		var place []string
		for _, step := range loc[:min(len(loc), maxListed+1)] {
			switch step := step.(type) {
			case string:
				place = append(place, step)
			case float64:
				place = append(place, strconv.FormatFloat(step, 'f', -1, 64))
			}
		}
		return strings.Join(place, ".") + ": " + said
	}
	return ""
}

// joined is a text, or those of a list, or the one that an object holds.
func joined(raw json.RawMessage, nested int) string {
	if said := text(raw); said != "" || nested == maxNested {
		return said
	}
	var inner words
	if json.Unmarshal(raw, &inner) == nil {
		return inner.text(nested + 1)
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	var said []string
	for _, one := range list[:min(len(list), maxListed)] {
		if s := joined(one, nested+1); s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, "; ")
}

// text returns the string that raw is, or "".
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
