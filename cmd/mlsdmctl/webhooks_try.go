package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksTestCommand posts a test webhook.
type webhooksTestCommand struct {
	ID string `arg:"" help:"Id of the endpoint."`
}

// Help shows examples.
func (webhooksTestCommand) Help() string {
	return "The webhook is signed and sent as any other, once, also to an endpoint that is disabled. Not being taken is an error.\n\n" +
		"  mlsdmctl webhooks test audit"
}

// Run implements the command.
func (w webhooksTestCommand) Run(ctx context.Context, c *connection, t terminal) error {
	var attempt events.DeliveryAttempt
	if err := c.call(ctx, t, events.OpEndpointsTest, events.EndpointRequest{ID: w.ID}, &attempt); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(t, attempt); err != nil {
			return err
		}
	} else if err := showTestResult(t, attempt); err != nil {
		return err
	}
	if attempt.Outcome != events.AttemptDelivered {
		return fmt.Errorf("endpoint %s did not take the webhook", w.ID)
	}
	return nil
}

// showTestResult prints what came of a test.
func showTestResult(t terminal, a events.DeliveryAttempt) error {
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, printable(oneLine(value, 400)))
		}
	}
	row("outcome", a.Outcome)
	if a.Status != 0 {
		row("status", strconv.Itoa(a.Status))
	}
	took := fmt.Sprintf("%.1f ms", a.LatencyMS)
	if a.Timing != nil {
		var parts []string
		for _, part := range []struct {
			name string
			ms   float64
		}{{"DNS", a.Timing.DNSMS}, {"connect", a.Timing.ConnectMS}, {"TLS", a.Timing.TLSMS}, {"first byte", a.Timing.FirstByteMS}} {
			if part.ms >= 0.05 {
				parts = append(parts, fmt.Sprintf("%s %.1f", part.name, part.ms))
			}
		}
		if len(parts) > 0 {
			took += " (" + strings.Join(parts, ", ") + ")"
		}
	}
	row("took", took)
	row("error", a.Error)
	row("class", a.ErrorClass)
	row("answer", a.Response)
	return w.Flush()
}
