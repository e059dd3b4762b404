package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxWebhookID is the longest event id that serves as webhook-id as it is.
const maxWebhookID = 64

// WebhookID returns the webhook-id of an event: the same on every attempt, for every endpoint and when the event is
// delivered again. It is the event's own id when that is 1 to 64 characters of A-Z a-z 0-9 _ -, otherwise "evt_" and
// 128 bits of a hash over source and id, in hexadecimal.
func WebhookID(ev events.Event) string {
	if plainID(ev.ID) {
		return ev.ID
	}
	return "evt_" + digest(ev.Source, ev.ID)[:32]
}

func plainID(id string) bool {
	if id == "" || len(id) > maxWebhookID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// Body renders the body of the webhook as Standard Webhooks recommends: a JSON object of type, timestamp (RFC 3339, when
// the event happened) and data. JSON data stands as the publisher wrote it, text is a JSON string, no data is null, and
// anything else is base64 in "data_base64" instead. The same event gives the same bytes.
func Body(ev events.Event) ([]byte, error) {
	media := events.ContentTypeJSON // what CloudEvents says of data without a type
	if ev.DataContentType != "" {
		var err error
		if media, _, err = mime.ParseMediaType(ev.DataContentType); err != nil {
			return nil, fmt.Errorf("the data of a %s event: %w", ev.Type, err)
		}
	}
	name, data := "data", bytes.TrimSpace(ev.Data)
	var err error
	switch {
	case len(ev.Data) == 0:
		data = []byte("null")
	case media == events.ContentTypeJSON, media == "text/json", strings.HasSuffix(media, "+json"):
	case strings.HasPrefix(media, "text/"):
		data, err = json.Marshal(string(ev.Data))
	default:
		name = "data_base64"
		data, err = json.Marshal(ev.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("rendering the data of a %s event: %w", ev.Type, err)
	}
	head, err := json.Marshal(struct {
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
	}{ev.Type, ev.Time.UTC().Format(time.RFC3339Nano)})
	if err != nil {
		return nil, fmt.Errorf("rendering a %s event: %w", ev.Type, err)
	}
	body := make([]byte, 0, len(head)+len(name)+len(data)+4)
	body = append(body, head[:len(head)-1]...)
	body = append(body, `,"`+name+`":`...)
	body = append(body, data...)
	return append(body, '}'), nil
}
