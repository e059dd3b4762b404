package delivery

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// readOwn reads a delivery as [Delivery.Message] makes it, in one pass over its headers: each delivery is read at least once,
// and reading it as what anybody may have written costs three times as much. The event was checked when it became a delivery,
// so its data is not read again. It returns false for everything that is not exactly so; that is read in the other way,
// which knows what is wrong with it.
func readOwn(endpointID string, header map[string][]string, body []byte) (d Delivery, ok bool) {
	d.EndpointID = endpointID
	ev := &d.Event
	version, contentType := "", ""
	for name, values := range header {
		if len(values) != 1 {
			return d, false
		}
		value := values[0]
		if attribute, is := strings.CutPrefix(name, events.HeaderCloudEventPrefix); is {
			if strings.IndexByte(value, '%') >= 0 {
				var err error
				if value, err = url.PathUnescape(value); err != nil {
					return d, false
				}
			}
			if attribute == "specversion" {
				version = value
			} else if !setAttribute(ev, attribute, value) {
				return d, false
			}
			continue
		}
		switch name {
		case events.HeaderContentType:
			contentType = value
		case events.HeaderDelivery:
			d.ID = value
		case events.HeaderAttempt:
			n, err := strconv.Atoi(value)
			if err != nil {
				return d, false
			}
			d.Attempt = n
		case events.HeaderProbe:
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return d, false
			}
			d.Probe = n
		case events.HeaderFirstAttemptAt:
			d.FirstAttemptAt = readTime(value)
		case events.HeaderPublishedAt:
			d.PublishedAt = readTime(value)
		case events.HeaderSlot:
			d.Slot = readTime(value)
		case events.HeaderReplay:
			d.ReplayID = value
		default:
			if !known(name) && !strings.HasPrefix(name, "Nats-") { // a stranger, or one of ours in other letters
				return d, false
			}
		}
	}
	switch {
	case version != events.SpecVersion, ev.ID == "", ev.Source == "", ev.Time.IsZero(), d.Attempt < 1, d.Attempt > maxAttempt,
		events.CheckType(ev.Type) != nil, events.CheckToken(events.HeaderDelivery, d.ID) != nil,
		d.ReplayID != "" && events.CheckToken(events.HeaderReplay, d.ReplayID) != nil, contentType == "" && len(body) > 0:
		return d, false
	}
	ev.DataContentType = contentType
	if len(body) > 0 {
		ev.Data = body
	}
	return d, true
}

// setAttribute sets one attribute of an event.
func setAttribute(ev *events.Event, name, value string) bool {
	switch name {
	case "id":
		ev.ID = value
	case "source":
		ev.Source = value
	case "type":
		ev.Type = value
	case "time":
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return false
		}
		ev.Time = t
	case "subject":
		ev.Subject = value
	case "dataschema":
		ev.DataSchema = value
	case "traceparent":
		ev.TraceParent = value
	case "tracestate":
		ev.TraceState = value
	default: // an extension, which is rare
		return false
	}
	return true
}

// known reports whether a header is one that says nothing which the reader of a delivery does not know from elsewhere.
func known(name string) bool {
	switch name {
	case events.HeaderEndpoint, events.HeaderEventID, events.HeaderEventType, events.HeaderTraceParent, events.HeaderTraceState:
		return true
	default:
		return false
	}
}
