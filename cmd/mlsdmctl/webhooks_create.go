package main

import (
	"context"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksCreateCommand makes an endpoint.
type webhooksCreateCommand struct {
	ID       string  `arg:"" help:"Id of the endpoint: A-Z a-z 0-9 _ -."`
	URL      string  `arg:"" help:"Where webhooks are posted to; or a reference to a secret, for URLs that are secrets."`
	Ordering *string `placeholder:"ORDERING" help:"strict delivers one at a time, in the order of the events. It cannot be changed later."`
	Disabled bool    `help:"Make it disabled."`
	DryRun   bool    `help:"Check everything, and make nothing."`

	endpointFlags `embed:""`
	secretFlags   `embed:""`
}

// Help shows examples.
func (webhooksCreateCommand) Help() string {
	return "Without --sign a key of method v1 is generated and printed, once: the receiver needs it to verify.\n\n" +
		"  mlsdmctl webhooks create audit https://example.com/hook\n" +
		"  mlsdmctl webhooks create ci https://example.com/ci --event 'ci.*' --retry fast --rate 50/100\n" +
		"  mlsdmctl webhooks create low https://example.com/low --event 'moral_filter.*' --filter 'data.score < 0.3'\n" +
		"  mlsdmctl webhooks create pay https://example.com/pay --sign v1a --header 'Authorization=secret:pay_token' --ordering strict\n" +
		"  mlsdmctl webhooks create old https://example.com/old --format mlsdm --sign v1=secret:old_key --secret-file key.txt"
}

// Run implements the command.
func (w webhooksCreateCommand) Run(ctx context.Context, c *connection, t terminal) (err error) {
	fields, err := w.patch()
	if err != nil {
		return err
	}
	fields["id"], fields["url"], fields["disabled"] = w.ID, w.URL, w.Disabled
	setText(fields, "ordering", w.Ordering)
	spec, err := specOf(fields)
	if err != nil {
		return err
	}
	sink, err := w.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.close(t)) }()
	return c.withClient(ctx, t, func(cl *client.Client) error {
		change, err := cl.CreateEndpoint(ctx, events.EndpointCreateRequest{Endpoint: spec, DryRun: w.DryRun})
		if err != nil {
			return err
		}
		did := "is made"
		if w.DryRun {
			did = "would be made"
		}
		return report(c, t, sink, did, w.DryRun, nil, change)
	})
}
