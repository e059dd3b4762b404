package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksCommand is the group of commands about webhooks. Alone it lists the endpoints.
type webhooksCommand struct {
	List webhooksListCommand `cmd:"" default:"withargs" help:"List the webhook endpoints; what webhooks does alone."`
}

// webhooksListCommand shows the endpoints.
type webhooksListCommand struct{}

// Run implements the command.
func (webhooksListCommand) Run(ctx context.Context, c *connection, t terminal) error {
	var list events.EndpointsList
	if err := c.call(ctx, t, events.OpEndpointsList, events.EndpointsListRequest{}, &list); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, list)
	}
	if len(list.Endpoints) == 0 {
		_, err := fmt.Fprintln(t.out, "no endpoint is configured; set WEBHOOK_URL and WEBHOOK_SECRET of the dispatcher")
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	for _, e := range list.Endpoints {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable(e.ID), printable(e.URL), printable(strings.Join(e.Events, " ")), printable(e.Source))
	}
	return w.Flush()
}
