package delivery

import "github.com/neuron7x/mlsdm-integrations/pkg/events"

// maxWebhookID is the longest event id that serves as webhook-id as it is.
const maxWebhookID = 64

// WebhookID returns the webhook-id of an event: the same on every attempt, for every endpoint and when the event is
// delivered again. It is the event's own id when that is 1 to 64 characters of A-Z a-z 0-9 _ -, otherwise "evt_" and
// 128 bits of a hash over source and id, in hexadecimal.
func WebhookID(ev events.Event) string {
	if plainID(ev.ID) {
		return ev.ID
	}
	return "evt_" + digest(ev.Source, ev.ID)
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
