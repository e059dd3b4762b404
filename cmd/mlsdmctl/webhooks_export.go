package main

import (
	"context"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/declared"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksExportCommand prints the endpoints as a file that apply reads.
type webhooksExportCommand struct{}

// Help shows examples.
func (webhooksExportCommand) Help() string {
	return "Generated keys stay where they are: an endpoint that is made anew from the file gets new ones. What the dispatcher's environment\n" +
		"sets is left out.\n\n  mlsdmctl webhooks export > webhooks.yaml"
}

// Run implements the command.
func (webhooksExportCommand) Run(ctx context.Context, c *connection, t terminal) error {
	return c.withClient(ctx, t, func(cl *client.Client) error {
		all, err := cl.Endpoints(ctx)
		if err != nil {
			return err
		}
		specs := []events.EndpointSpec{}
		for _, e := range all {
			if e.Source == sourceBus {
				specs = append(specs, e.EndpointSpec)
			}
		}
		if c.JSON {
			return printJSON(t, map[string]any{"endpoints": specs})
		}
		text, err := declared.Format(specs)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "# Webhook endpoints; `mlsdmctl webhooks apply -f FILE` makes them so.\n%s", text)
		return err
	})
}

// sourceBus is the source of endpoints that can be changed over the bus.
const sourceBus = "bus"
