package native

import (
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// Format is the format in which an answer is wanted.
type Format struct {
	// JSON is set when the answer must be JSON. Otherwise it is plain text.
	JSON bool
	// Schema is the JSON schema to which it must keep; nil is any JSON object.
	Schema jsontext.Value
}

// ReadFormat reads response_format. The name of a schema has no meaning for the answer and is left out.
func (r *Reader) ReadFormat(raw json.RawMessage) (Format, error) {
	if !llm.Given(raw) {
		return Format{}, nil
	}
	var want struct {
		Type   string `json:"type"`
		Schema struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Schema      jsontext.Value `json:"schema"`
			Strict      bool           `json:"strict"`
		} `json:"json_schema"`
	}
	if err := r.Strict("response_format", raw, &want); err != nil {
		return Format{}, err
	}
	switch want.Type {
	case "text":
		return Format{}, nil
	case "json_object":
		return Format{JSON: true}, nil
	case "json_schema":
	default:
		return Format{}, r.Unknown("response_format.type")
	}
	switch {
	case want.Schema.Description != "":
		return Format{}, r.Server.Refuse("response_format.json_schema.description", r.Vendor+" has no place for it; put it into the schema")
	case want.Schema.Schema.Kind() != '{':
		return Format{}, r.Server.Invalid("response_format.json_schema.schema is not a JSON schema")
	}
	return Format{JSON: true, Schema: want.Schema.Schema}, nil
}

// AsksNothing reports whether a field has the value that is as good as its absence.
func AsksNothing(name, value string) bool {
	switch name {
	case "logprobs", "store":
		return value == "false"
	case "frequency_penalty", "presence_penalty", "top_logprobs":
		return value == "0" || value == "0.0"
	case "logit_bias", "metadata":
		return value == "{}"
	case "functions":
		return value == "[]"
	case "modalities":
		var list []string
		return json.Unmarshal([]byte(value), &list) == nil && slices.Equal(list, []string{"text"})
	default:
		return false
	}
}
