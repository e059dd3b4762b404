package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksDeleteCommand removes an endpoint.
type webhooksDeleteCommand struct {
	ID       string `arg:"" help:"Id of the endpoint."`
	Yes      bool   `short:"y" help:"Do not ask."`
	Revision uint64 `placeholder:"N" help:"Remove it only if it has this revision still."`
}

// Help shows examples.
func (webhooksDeleteCommand) Help() string {
	return "Its generated keys are gone with it, and what waits for it goes to dead letters.\n\n  mlsdmctl webhooks delete audit\n  mlsdmctl webhooks delete audit --yes"
}

// Run implements the command.
func (w webhooksDeleteCommand) Run(ctx context.Context, c *connection, t terminal) error {
	req := events.EndpointDeleteRequest{ID: w.ID, Revision: w.Revision}
	if err := req.Validate(); err != nil {
		return err
	}
	if !w.Yes {
		if err := confirm(ctx, t, fmt.Sprintf("Remove endpoint %s, with its keys?", w.ID), errNotConfirmed); err != nil {
			return err
		}
	}
	var gone events.EndpointDeleted
	if err := c.call(ctx, t, events.OpEndpointsDelete, req, &gone); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, gone)
	}
	_, err := fmt.Fprintf(t.out, "%s is removed\n", printable(w.ID))
	return err
}

// errNotConfirmed ends a command whose question was not answered with yes.
var errNotConfirmed = errors.New("nothing was removed: the question was not answered with y; --yes does not ask")
