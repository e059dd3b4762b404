package llm

import (
	"bytes"
	"encoding/json"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Given reports whether an optional part of a request is there: not absent, not null, not an empty list.
func Given(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && string(raw) != "null" && string(raw) != "[]"
}

// WantsFormat reports whether a request asks for an answer in another format than plain text.
func WantsFormat(req *events.ChatRequest) bool {
	if !Given(req.ResponseFormat) {
		return false
	}
	var format struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(req.ResponseFormat, &format) != nil || format.Type != "text"
}
