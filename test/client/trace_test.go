package client_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestTraceContextGoesAlong: requests, durable requests and events are parts of the caller's trace, and what is no trace is not sent.
func TestTraceContextGoesAlong(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, c := range map[string]struct{ parent, state, sentParent, sentState string }{
		"a trace":                  {parent, "vendor=1", parent, "vendor=1"},
		"none":                     {},
		"capitals are a trace too": {strings.ToUpper(parent), "", strings.ToUpper(parent), ""},
		"no traceparent":           {"00-x", "vendor=1", "", ""},
		"a line too many":          {parent + "\r\nX-Evil: 1", "", "", ""},
		"a state that is too long": {parent, "a=" + strings.Repeat("b", 512), parent, ""},
		"a state of two lines":     {parent, "a=b\r\nX-Evil: 1", parent, ""},
		"a traceparent for ever":   {parent + strings.Repeat("-00", 1000), "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t)
			cl := connect(t, s, client.TraceContext(func(context.Context) (string, string) { return c.parent, c.state }))
			sent := func(header map[string][]string) {
				require.Equal(t, c.sentParent, events.HeaderValue(header, events.HeaderTraceParent))
				require.Equal(t, c.sentState, events.HeaderValue(header, events.HeaderTraceState))
				require.Empty(t, events.HeaderValue(header, "X-Evil"))
			}
			asked := make(chan map[string][]string, 1)
			serve(t, s, events.OpCIStatus, func(_ context.Context, r *bus.Request) error {
				asked <- r.Header
				return respond(r, struct{}{})
			})
			require.NoError(t, cl.Call(within(t), events.OpCIStatus, nil, nil))
			sent(<-asked)

			requests := listen(t, s, s.Connect(t, "subjects").Subjects().Request("", events.KindEmbed))
			_, err := cl.SubmitEmbed(within(t), "one", events.EmbeddingsRequest{Model: "m", Input: []string{"x"}})
			require.NoError(t, err)
			msg, err := requests.NextMsg(patience)
			require.NoError(t, err)
			sent(msg.Header)

			published := listen(t, s, cl.Subjects().Event("custom.x"))
			_, err = cl.PublishData(within(t), "custom.x", []byte("{}"))
			require.NoError(t, err)
			msg, err = published.NextMsg(patience)
			require.NoError(t, err)
			sent(msg.Header)
		})
	}
}
