package events_test

import (
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestTraceContext(t *testing.T) {
	t.Parallel()
	const event = `{"specversion":"1.0","id":"1","source":"/x","type":"custom.x","data":{"traceparent":"in the data"}`
	for name, c := range map[string]struct {
		header        map[string][]string
		body          string
		parent, state string
	}{
		"nothing":          {},
		"header":           {header: map[string][]string{"traceparent": {"p"}, "tracestate": {"s"}}, parent: "p", state: "s"},
		"header, any case": {header: map[string][]string{"TraceParent": {"p"}, "TRACESTATE": {"s"}}, parent: "p", state: "s"},
		"the header is nearer than the event": {
			header: map[string][]string{"Traceparent": {"p"}, "ce-traceparent": {"q"}, "ce-tracestate": {"of q"}}, body: event + `,"traceparent":"r"}`, parent: "p",
		},
		"binary":                       {header: map[string][]string{"CE-TraceParent": {"p%2D1"}, "ce-tracestate": {"a%3Db"}}, parent: "p-1", state: "a=b"},
		"binary, not encoded":          {header: map[string][]string{"ce-traceparent": {"100%"}}, parent: "100%"},
		"structured":                   {header: map[string][]string{"content-type": {events.ContentTypeCloudEvent}}, body: event + `,"traceparent":"p","tracestate":"s"}`, parent: "p", state: "s"},
		"structured, without its type": {body: event + `,"traceparent":"p"}`, parent: "p"},
		"other data":                   {header: map[string][]string{"Content-Type": {events.ContentTypeJSON}}, body: event + `,"traceparent":"p"}`},
		"of its data alone":            {body: event + "}"},
		"no event":                     {body: `{"traceparent":"p"}`},
		"no text":                      {body: event + `,"traceparent":7}`},
		"no JSON":                      {body: event + `,"traceparent":"p"`},
		"too large":                    {body: event + `,"traceparent":"p","x":"` + strings.Repeat("x", events.MaxStructured) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent, state := events.TraceContext(c.header, []byte(c.body))
			if parent != c.parent || state != c.state {
				t.Errorf("got %q and %q, want %q and %q", parent, state, c.parent, c.state)
			}
		})
	}
}
