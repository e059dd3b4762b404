package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksRotateCommand gives an endpoint a new signing key.
type webhooksRotateCommand struct {
	ID      string         `arg:"" help:"Id of the endpoint."`
	Method  string         `placeholder:"METHOD" help:"v1 (HMAC), which it is without this, or v1a (ed25519)."`
	Key     string         `placeholder:"REF" help:"Reference to the new key, for example secret:NAME; without it one is generated."`
	Overlap *time.Duration `placeholder:"DURATION" help:"How long the old keys of this method go on signing beside it, up to 720h; 24h without it."`

	secretFlags `embed:""`
}

// Help shows examples.
func (webhooksRotateCommand) Help() string {
	return "For the time of the overlap every webhook has a signature of each key, so that receivers can change at their leisure.\n\n" +
		"  mlsdmctl webhooks rotate audit\n" +
		"  mlsdmctl webhooks rotate audit --overlap 72h --secret-file audit.key\n" +
		"  mlsdmctl webhooks rotate audit --overlap 0s              the old key is known to others: end it now\n" +
		"  mlsdmctl webhooks rotate audit --method v1a --key secret:audit_key"
}

// Run implements the command.
func (w webhooksRotateCommand) Run(ctx context.Context, c *connection, t terminal) (err error) {
	req := events.EndpointRotateRequest{ID: w.ID, Signing: events.EndpointSigning{Method: w.Method, Key: w.Key}, Overlap: overlapOf(w.Overlap)}
	if err := req.Validate(); err != nil {
		return err
	}
	if w.Key != "" {
		if err := checkReference("--key", w.Key); err != nil {
			return err
		}
	}
	sink, err := w.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.close(t)) }()
	return c.withClient(ctx, t, func(cl *client.Client) error {
		change, err := cl.RotateEndpoint(ctx, req)
		if err != nil {
			return err
		}
		told, err := sink.take(change.Endpoint.ID, change.Secrets)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t, changeReport{Endpoint: change.Endpoint, Secrets: told})
		}
		fmt.Fprintf(t.out, "%s has a new key; these sign now:\n", printable(change.Endpoint.ID))
		for _, key := range change.Endpoint.Keys {
			fmt.Fprintf(t.out, "  %s\n", printable(describeKey(key)))
		}
		return sink.print(t, told)
	})
}
