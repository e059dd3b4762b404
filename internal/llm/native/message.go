package native

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// CheckMessage refuses what a message of its role cannot have; i is its place.
func (r *Reader) CheckMessage(i int, m *events.ChatMessage) error {
	switch {
	case m.Name != "" && m.Role != events.RoleTool:
		return r.Server.Refuse(At("messages", i)+".name", r.Vendor+" does not tell participants of one role apart; say it in the text")
	case len(m.ToolCalls) > 0 && m.Role != events.RoleAssistant:
		return r.Server.Invalid("%s.tool_calls: only an assistant's message has them", At("messages", i))
	case m.ToolCallID != "" && m.Role != events.RoleTool:
		return r.Server.Invalid("%s.tool_call_id: only a tool's message has it", At("messages", i))
	case m.ToolCallID == "" && m.Role == events.RoleTool:
		return r.Server.Invalid("%s.tool_call_id is missing", At("messages", i))
	}
	return nil
}

// Arguments checks call j of message i and returns its arguments, the text of a JSON object. What joins the pieces of a stream has
// an empty text for a call without arguments.
func (r *Reader) Arguments(i, j int, call *events.ToolCall) (jsontext.Value, error) {
	where := At(At("messages", i)+".tool_calls", j)
	arguments := jsontext.Value(strings.TrimSpace(call.Function.Arguments))
	switch {
	case call.Type != "" && call.Type != "function":
		return nil, r.Server.Refuse(where+".type", r.Vendor+"'s calls are of functions")
	case call.Function.Name == "":
		return nil, r.Server.Invalid("%s.function.name is missing", where)
	case call.ID == "":
		return nil, r.Server.Invalid("%s.id is missing", where)
	case len(arguments) == 0:
		return jsontext.Value("{}"), nil
	case arguments[0] != '{' || !arguments.IsValid():
		return nil, r.Server.Invalid("%s.function.arguments is not a JSON object", where)
	}
	return arguments, nil
}

// Part is one part of a message: a text, or an image.
type Part struct {
	Text string
	// Image is the URL of an image, of scheme data, http or https; empty is a text.
	Image string
	// Detail is how closely the image is to be looked at, in OpenAI's words; empty is auto.
	Detail string
}

// ReadPart reads a part of type text, refusal or image_url, and refuses others; field is its name.
func (r *Reader) ReadPart(field string, p *events.ContentPart) (Part, error) {
	switch p.Type {
	case "text":
		if p.Raw == nil {
			return Part{Text: p.Text}, nil
		}
		var part struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		err := r.Strict(field, p.Raw, &part)
		return Part{Text: part.Text}, err
	case "refusal":
		var part struct {
			Type    string `json:"type"`
			Refusal string `json:"refusal"`
		}
		err := r.Strict(field, p.Raw, &part)
		return Part{Text: part.Refusal}, err
	case "image_url":
		return r.image(field, p.Raw)
	default:
		return Part{}, r.Server.Refuse(field+".type", r.Vendor+"'s messages have parts of type text and image_url only")
	}
}

// image reads an image.
func (r *Reader) image(field string, raw []byte) (Part, error) {
	var part struct {
		Type  string `json:"type"`
		Image struct {
			URL    string `json:"url"`
			Detail string `json:"detail"`
		} `json:"image_url"`
	}
	if err := r.Strict(field, raw, &part); err != nil {
		return Part{}, err
	}
	field += ".image_url.url"
	url := part.Image.URL
	switch {
	case hasScheme(url, "http"), hasScheme(url, "https"):
	case hasScheme(url, "data"):
		if _, _, err := r.Data(field, url); err != nil {
			return Part{}, err
		}
	default:
		return Part{}, r.Server.Invalid("%s is neither a data: nor an http(s): URL", field)
	}
	if part.Image.Detail == "auto" {
		part.Image.Detail = ""
	}
	return Part{Image: url, Detail: part.Image.Detail}, nil
}

// Data reads a data URL in base64 (RFC 2397): its media type, in small letters, and the data as they are. What is not in the URL itself
// is refused.
func (r *Reader) Data(field, url string) (mediaType, data string, err error) {
	if !hasScheme(url, "data") {
		return "", "", r.Server.Refuse(field, r.Vendor+" fetches nothing; send the image itself, as data:TYPE;base64,DATA")
	}
	head, data, ok := strings.Cut(url[len("data:"):], ",")
	mediaType, coding, _ := strings.Cut(head, ";")
	switch {
	case !ok, !strings.EqualFold(coding, "base64"):
		return "", "", r.Server.Invalid("%s is not of the form data:TYPE;base64,DATA", field)
	case !isBase64(data):
		return "", "", r.Server.Invalid("%s is not valid base64", field)
	}
	return strings.ToLower(mediaType), data, nil
}

// hasScheme reports whether a URL is of a scheme, in any case.
func hasScheme(url, scheme string) bool {
	return len(url) > len(scheme) && url[len(scheme)] == ':' && strings.EqualFold(url[:len(scheme)], scheme)
}

// isBase64 reports whether data looks like base64 of something (RFC 4648, section 4); it is not decoded, images are large.
func isBase64(data string) bool {
	body := strings.TrimRight(data, "=")
	if body == "" || len(data)%4 != 0 || len(data)-len(body) > 2 {
		return false
	}
	return !strings.ContainsFunc(body, func(c rune) bool {
		return (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && (c < '0' || '9' < c) && c != '+' && c != '/'
	})
}
