// Package body renders the body of a webhook, in each of the formats that an endpoint may ask for. The same event gives
// the same bytes.
package body

import "github.com/neuron7x/mlsdm-integrations/pkg/events"

// Room in a buffer for what stands around the data, so that it does not grow: names, quotes, a time.
const frame = 128

// Render returns the body of ev in a format of [events.EndpointSpec], of which the empty one is standard, and its media
// type. It fails, with an [events.Error], on a format that there is none of, and on an event that is not valid.
func Render(format string, ev events.Event) (body []byte, contentType string, err error) {
	switch format {
	case "", events.FormatStandard:
		body, err = standard(ev)
		return body, events.ContentTypeJSON, err
	case events.FormatCloudEvents:
		body, err = ev.MarshalJSON()
		return body, events.ContentTypeCloudEvent, err
	case events.FormatMLSDM:
		body, err = mlsdm(ev)
		return body, events.ContentTypeJSON, err
	default:
		return nil, "", events.Errorf(events.CodeInvalidArgument, "format is %.40q; it must be %s, %s or %s",
			format, events.FormatStandard, events.FormatCloudEvents, events.FormatMLSDM)
	}
}
