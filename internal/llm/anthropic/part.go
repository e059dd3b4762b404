package anthropic

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// part translates one part of a message; field is its name.
func (c *Client) part(field string, p *events.ContentPart) (block, error) {
	if p.Raw == nil && p.Type == "text" {
		return block{Type: blockText, Text: p.Text}, nil
	}
	switch p.Type {
	case "text":
		var part struct {
			Type         string         `json:"type"`
			Text         string         `json:"text"`
			CacheControl jsontext.Value `json:"cache_control"`
		}
		err := c.read.Strict(field, p.Raw, &part)
		return block{Type: blockText, Text: part.Text, CacheControl: part.CacheControl}, err
	case "refusal":
		var part struct {
			Type    string `json:"type"`
			Refusal string `json:"refusal"`
		}
		err := c.read.Strict(field, p.Raw, &part)
		return block{Type: blockText, Text: part.Refusal}, err
	case "image_url":
		return c.image(field, p.Raw)
	case "file":
		return c.file(field, p.Raw)
	default:
		return block{}, c.server.Refuse(field+".type", "Anthropic's messages have parts of type text, image_url and file (a PDF) only")
	}
}

// image translates an image part: what is in the URL itself is sent, what is elsewhere the server fetches.
func (c *Client) image(field string, raw []byte) (block, error) {
	var part struct {
		Type  string `json:"type"`
		Image struct {
			URL    string `json:"url"`
			Detail string `json:"detail"`
		} `json:"image_url"`
		CacheControl jsontext.Value `json:"cache_control"`
	}
	if err := c.read.Strict(field, raw, &part); err != nil {
		return block{}, err
	}
	field += ".image_url"
	if part.Image.Detail != "" && part.Image.Detail != "auto" {
		return block{}, c.server.Refuse(field+".detail", "Anthropic looks at an image as it is; scale it, or leave this out")
	}
	url := part.Image.URL
	if hasScheme(url, "http") || hasScheme(url, "https") {
		return block{Type: blockImage, Source: &source{Type: "url", URL: url}, CacheControl: part.CacheControl}, nil
	}
	src, err := c.data(field+".url", url)
	if err != nil {
		return block{}, err
	}
	switch src.MediaType {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
		return block{Type: blockImage, Source: src, CacheControl: part.CacheControl}, nil
	default:
		return block{}, c.server.Refuse(field+".url", "Anthropic sees image/jpeg, image/png, image/gif and image/webp only")
	}
}

// file translates a file part, which must be a PDF.
func (c *Client) file(field string, raw []byte) (block, error) {
	var part struct {
		Type string `json:"type"`
		File struct {
			Data string `json:"file_data"`
			Name string `json:"filename"`
			ID   string `json:"file_id"`
		} `json:"file"`
		CacheControl jsontext.Value `json:"cache_control"`
	}
	if err := c.read.Strict(field, raw, &part); err != nil {
		return block{}, err
	}
	field += ".file"
	if part.File.ID != "" {
		return block{}, c.server.Refuse(field+".file_id", "a file that was uploaded to another provider is not there; send it as file_data")
	}
	src, err := c.data(field+".file_data", part.File.Data)
	if err != nil {
		return block{}, err
	}
	if src.MediaType != "application/pdf" {
		return block{}, c.server.Refuse(field+".file_data", "Anthropic reads files of type application/pdf only")
	}
	return block{Type: blockDocument, Source: src, Title: part.File.Name, CacheControl: part.CacheControl}, nil
}

// data reads a data URL.
func (c *Client) data(field, url string) (*source, error) {
	if !hasScheme(url, "data") {
		return nil, c.server.Invalid("%s is neither a data: nor an http(s): URL", field)
	}
	kind, data, err := c.read.Data(field, url)
	return &source{Type: "base64", MediaType: kind, Data: data}, err
}

// hasScheme reports whether a URL is of a scheme, in any case.
func hasScheme(url, scheme string) bool {
	return len(url) > len(scheme) && url[len(scheme)] == ':' && strings.EqualFold(url[:len(scheme)], scheme)
}
