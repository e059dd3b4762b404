package body

import (
	"bytes"
	"encoding/base64"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// standard renders the body as Standard Webhooks recommends: a JSON object of type, timestamp (RFC 3339, when the event
// happened) and data. JSON data stands as the publisher wrote it, text is a JSON string, no data is null, and anything else
// is base64 in "data_base64" instead.
func standard(ev events.Event) ([]byte, error) {
	kind, err := KindOf(ev.DataContentType)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, frame+len(ev.Type)+encodedLen(kind, ev.Data))
	b = append(b, `{"type":`...)
	b = appendHTMLSafe(b, ev.Type)
	b = append(b, `,"timestamp":"`...)
	b = ev.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	switch {
	case len(ev.Data) == 0:
		b = append(b, `","data":null`...)
	case kind == JSON:
		b = append(b, `","data":`...)
		b = append(b, bytes.TrimSpace(ev.Data)...)
	case kind == Text:
		b = append(b, `","data":`...)
		b = appendHTMLSafe(b, string(ev.Data))
	default:
		b = append(b, `","data_base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, ev.Data)
		b = append(b, '"')
	}
	return append(b, '}'), nil
}

// encodedLen is how long data is likely to get.
func encodedLen(kind Kind, data []byte) int {
	switch kind {
	case JSON:
		return len(data)
	case Text:
		return len(data) + len(data)/8
	default:
		return base64.StdEncoding.EncodedLen(len(data))
	}
}
