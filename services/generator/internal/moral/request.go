package moral

import (
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Where a request brings its score.
const (
	metadataField = "metadata"
	valueField    = "moral_value"
	wholeField    = metadataField + "." + valueField
)

// Strip takes metadata.moral_value out of a request, and a metadata that is empty then: they are ours, and no provider's. It
// changes req, but not the map that it had. The filter itself never changes a request; call this after [Filter.Prompt].
func Strip(req *events.ChatRequest) {
	metadata, value := requestMetadata(req)
	if value == nil {
		return
	}
	delete(metadata, valueField)
	req.Extra = maps.Clone(req.Extra)
	if len(metadata) == 0 {
		delete(req.Extra, metadataField)
		return
	}
	rest, err := json.Marshal(metadata)
	if err != nil { // it was JSON when it came
		delete(req.Extra, metadataField)
		return
	}
	req.Extra[metadataField] = rest
}

// requestMetadata returns the metadata of a request and the score in it, if there is one.
func requestMetadata(req *events.ChatRequest) (metadata map[string]json.RawMessage, value json.RawMessage) {
	raw := req.Extra[metadataField]
	if len(raw) == 0 || json.Unmarshal(raw, &metadata) != nil { // what is no object has no members, and is the provider's to refuse
		return nil, nil
	}
	return metadata, metadata[valueField]
}

// requestScore returns the score that a request brings, and whether it brings one. Anything but a number, or a text that is one, of 0
// to 1 is an error.
func requestScore(req *events.ChatRequest) (score float64, given bool, err error) {
	_, value := requestMetadata(req)
	if value == nil {
		return 0, false, nil
	}
	text := strings.TrimSpace(string(value))
	if strings.HasPrefix(text, `"`) && json.Unmarshal(value, &text) != nil {
		text = ""
	}
	score, err = strconv.ParseFloat(text, 64)
	// A number as JSON has it: not 0x1p-2, Inf or 1_0.
	if err != nil || strings.Trim(text, "0123456789+-.eE") != "" || !(score >= 0 && score <= 1) {
		return 0, true, events.Errorf(events.CodeInvalidArgument,
			"%s is the score of the request: it must be a number of 0 to 1, or a text that is one, such as 0.8", wholeField)
	}
	return math.Abs(score), true, nil // -0 is 0
}

// separator stands between texts of different origin, so that no phrase is made of two.
const separator = "\n\n"

// promptText joins all text of a request, in its order: that of callers and systems, and what is said to be that of assistants and
// tools, since a caller can say so of anything. other counts the parts that are no text, such as images.
func promptText(req *events.ChatRequest) (text string, other int) {
	if len(req.Messages) == 0 {
		return req.Prompt, 0
	}
	if len(req.Messages) == 1 && len(req.Messages[0].Content.Parts) == 0 && len(req.Messages[0].ToolCalls) == 0 {
		m := &req.Messages[0]
		if m.ReasoningContent == "" && m.Refusal == "" {
			return m.Content.Text, 0
		}
	}
	var j joiner
	for i := range req.Messages {
		j.message(&req.Messages[i])
	}
	return j.text.String(), j.other
}

// answerText joins all text of an answer.
func answerText(res *events.ChatResponse) string {
	var j joiner
	for i := range res.Choices {
		j.message(&res.Choices[i].Message)
	}
	return j.text.String()
}

// joiner joins texts.
type joiner struct {
	text  strings.Builder
	other int
}

func (j *joiner) message(m *events.ChatMessage) {
	j.add(m.Content.Text)
	for i := range m.Content.Parts {
		if p := &m.Content.Parts[i]; p.Type == "text" {
			j.add(p.Text)
		} else {
			j.other++
		}
	}
	j.add(m.ReasoningContent)
	j.add(m.Refusal)
	for i := range m.ToolCalls {
		j.add(m.ToolCalls[i].Function.Name)
		j.add(m.ToolCalls[i].Function.Arguments)
	}
}

func (j *joiner) add(text string) {
	if text == "" {
		return
	}
	if j.text.Len() > 0 {
		j.text.WriteString(separator)
	}
	j.text.WriteString(text)
}
