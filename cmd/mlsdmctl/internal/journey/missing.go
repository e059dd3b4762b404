package journey

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// NotFound is the error of a search that found nothing: where it looked, how long things are kept, and what would be right. Its code is
// not_found.
func NotFound(j *Journey) error {
	var b strings.Builder
	b.WriteString("nothing has to do with " + j.Query + "\nlooked through:\n")
	for _, s := range j.Searched {
		b.WriteString("  " + s.Stream + " (" + s.Holds + ", kept " + s.Keeps + "): ")
		if s.Messages > 0 || s.Left == "" {
			b.WriteString(count(s.Messages, "message"))
			if !s.From.IsZero() {
				b.WriteString(" since " + s.From.Local().Format("2006-01-02 15:04:05"))
			}
		}
		if s.Left != "" {
			b.WriteString(strings.TrimRight(": not to its end: "+s.Left, " "))
		}
		b.WriteString("\n")
	}
	b.WriteString("An id is that of a durable request (its Nats-Msg-Id or Mlsdm-Request-Id), of an event, of a delivery (the webhook-id's event, or\n" +
		"`mlsdmctl webhooks deliveries list`), or of a trace: 32 hexadecimal digits, or a whole traceparent. What an event is about will do as\n" +
		"well. --since 7d searches further back, and --prefix another installation. An interactive request leaves no more than its\n" +
		"request.processed event.")
	return events.Errorf(events.CodeNotFound, "%s", b.String())
}
