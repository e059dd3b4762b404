package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksUpdateCommand changes an endpoint.
type webhooksUpdateCommand struct {
	ID       string         `arg:"" help:"Id of the endpoint."`
	URL      *string        `placeholder:"URL" help:"Where webhooks are posted to."`
	Overlap  *time.Duration `placeholder:"DURATION" help:"How long keys go on signing that the change takes away; 24h without it."`
	Revision uint64         `placeholder:"N" help:"Change it only if it has this revision still; without it, that of now."`
	DryRun   bool           `help:"Check everything, show what would change, and change nothing."`

	endpointFlags `embed:""`
	secretFlags   `embed:""`
}

// Help shows examples.
func (webhooksUpdateCommand) Help() string {
	return "Only what is given changes; an empty value takes a field back. Headers and metadata are changed name by name, lists as a whole.\n\n" +
		"  mlsdmctl webhooks update audit --event 'ci.*' --event 'custom.>'\n" +
		"  mlsdmctl webhooks update audit --rate 0 --filter '' --header 'X-Old='\n" +
		"  mlsdmctl webhooks update audit --url https://example.com/new --dry-run"
}

// Run implements the command.
func (w webhooksUpdateCommand) Run(ctx context.Context, c *connection, t terminal) (err error) {
	fields, err := w.patch()
	if err != nil {
		return err
	}
	if w.URL != nil {
		fields["url"] = *w.URL
	}
	if len(fields) == 0 {
		return errors.New("nothing to change is given; mlsdmctl webhooks update --help shows what there is")
	}
	patch, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	req := events.EndpointUpdateRequest{ID: w.ID, Endpoint: patch, Revision: w.Revision, DryRun: w.DryRun, Overlap: overlapOf(w.Overlap)}
	if err := req.Validate(); err != nil {
		return err
	}
	sink, err := w.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.close(t)) }()
	return c.withClient(ctx, t, func(cl *client.Client) error {
		var was events.Endpoint
		if err := cl.Call(ctx, events.OpEndpointsGet, events.EndpointRequest{ID: w.ID}, &was); err != nil {
			return err
		}
		if req.Revision == 0 {
			req.Revision = was.Revision
		}
		change, err := cl.UpdateEndpoint(ctx, req)
		if err != nil {
			return err
		}
		return report(c, t, sink, didChange(change.Changes, w.DryRun), w.DryRun, &was.EndpointSpec, change)
	})
}

// didChange says what became of a change.
func didChange(changes []string, dryRun bool) string {
	switch {
	case len(changes) == 0:
		return "is like this already"
	case dryRun:
		return "would be changed"
	default:
		return "is changed"
	}
}

// overlapOf writes an overlap as the contract does.
func overlapOf(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return d.String()
}

// webhooksEnableCommand lets an endpoint have webhooks again, whoever or whatever disabled it.
type webhooksEnableCommand struct {
	ID string `arg:"" help:"Id of the endpoint."`
}

// Help shows examples.
func (webhooksEnableCommand) Help() string {
	return "It ends what an operator disabled, and what was disabled because it failed for days or answered 410.\n\n  mlsdmctl webhooks enable audit"
}

// Run implements the command.
func (w webhooksEnableCommand) Run(ctx context.Context, c *connection, t terminal) error {
	return setDisabled(ctx, c, t, w.ID, false)
}

// webhooksDisableCommand lets an endpoint have no webhooks.
type webhooksDisableCommand struct {
	ID string `arg:"" help:"Id of the endpoint."`
}

// Help shows examples.
func (webhooksDisableCommand) Help() string {
	return "What waits for it, and what comes, is not delivered; mlsdmctl webhooks deliveries replay delivers it later.\n\n  mlsdmctl webhooks disable audit"
}

// Run implements the command.
func (w webhooksDisableCommand) Run(ctx context.Context, c *connection, t terminal) error {
	return setDisabled(ctx, c, t, w.ID, true)
}

// setDisabled turns the operator's switch.
func setDisabled(ctx context.Context, c *connection, t terminal, id string, disabled bool) error {
	patch := json.RawMessage(fmt.Sprintf(`{"disabled":%t}`, disabled))
	return c.withClient(ctx, t, func(cl *client.Client) error {
		change, err := cl.UpdateEndpoint(ctx, events.EndpointUpdateRequest{ID: id, Endpoint: patch})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t, change.Endpoint)
		}
		word := "enabled"
		if disabled {
			word = "disabled"
		}
		_, err = fmt.Fprintf(t.out, "%s is %s\n", printable(id), word)
		return err
	})
}
