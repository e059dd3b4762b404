package events

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Content is a chat message's content: a text, a list of parts, or null.
type Content struct {
	// Text is the content when it is one text.
	Text string
	// Parts is the content when it is a list; Text is then empty.
	Parts []ContentPart
	// Null is set when the content is null, as it is beside tool calls.
	Null bool
}

// ContentPart is one part of a message: a text, or something else kept as it was sent.
type ContentPart struct {
	// Type is "text", "image_url", …
	Type string
	// Text is set when Type is "text".
	Text string
	// Raw is the whole part as JSON.
	Raw json.RawMessage
}

// TextContent makes the content that is one text.
func TextContent(text string) Content { return Content{Text: text} }

// String returns the text of the content: its parts of type text joined by newlines when it is a list.
func (c Content) String() string {
	if len(c.Parts) == 0 {
		return c.Text
	}
	var texts []string
	for _, p := range c.Parts {
		if p.Type == "text" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// MarshalJSON implements [json.Marshaler].
func (c Content) MarshalJSON() ([]byte, error) {
	switch {
	case c.Null:
		return []byte("null"), nil
	case len(c.Parts) > 0:
		return json.Marshal(c.Parts)
	default:
		return json.Marshal(c.Text)
	}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Content) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	*c = Content{}
	switch {
	case bytes.Equal(b, []byte("null")):
		c.Null = true
		return nil
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, &c.Text)
	case len(b) > 0 && b[0] == '[':
		return json.Unmarshal(b, &c.Parts)
	default:
		return Errorf(CodeInvalidArgument, "content must be a string, a list of parts, or null")
	}
}

// MarshalJSON implements [json.Marshaler].
func (p ContentPart) MarshalJSON() ([]byte, error) {
	if p.Raw != nil {
		return p.Raw, nil
	}
	return json.Marshal(map[string]string{"type": p.Type, "text": p.Text})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *ContentPart) UnmarshalJSON(b []byte) error {
	var part struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, &part); err != nil {
		return Errorf(CodeInvalidArgument, "a content part must be an object with a type: %w", err)
	}
	if part.Type == "" {
		return Errorf(CodeInvalidArgument, "a content part must have a type")
	}
	*p = ContentPart{Type: part.Type, Text: part.Text, Raw: bytes.Clone(b)}
	return nil
}
