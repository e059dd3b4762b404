package body

import (
	"mime"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Kind is the form that the data of an event has.
type Kind int

// The kinds of data.
const (
	// Bytes is neither JSON nor text.
	Bytes Kind = iota
	// JSON is one JSON value.
	JSON
	// Text is text that is no JSON.
	Text
)

// KindOf returns the kind of data that a media type stands for; none is JSON, as CloudEvents says. It fails on what is no
// media type.
func KindOf(contentType string) (Kind, error) {
	if contentType == "" || contentType == events.ContentTypeJSON { // nearly all
		return JSON, nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return Bytes, events.Errorf(events.CodeInvalidArgument, "datacontenttype %.80q is not a media type", contentType)
	case media == events.ContentTypeJSON, media == "text/json", strings.HasSuffix(media, "+json"):
		return JSON, nil
	case strings.HasPrefix(media, "text/"):
		return Text, nil
	default:
		return Bytes, nil
	}
}
