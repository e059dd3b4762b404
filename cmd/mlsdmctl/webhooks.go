package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksCommand is the group of commands about webhooks. Alone it lists the endpoints.
type webhooksCommand struct {
	List    webhooksListCommand    `cmd:"" default:"withargs" help:"List the webhook endpoints; what webhooks does alone."`
	Get     webhooksGetCommand     `cmd:"" help:"Show one endpoint."`
	Create  webhooksCreateCommand  `cmd:"" help:"Make an endpoint."`
	Update  webhooksUpdateCommand  `cmd:"" help:"Change an endpoint."`
	Delete  webhooksDeleteCommand  `cmd:"" help:"Remove an endpoint."`
	Enable  webhooksEnableCommand  `cmd:"" help:"Let an endpoint have webhooks again."`
	Disable webhooksDisableCommand `cmd:"" help:"Let an endpoint have no webhooks."`
	Rotate  webhooksRotateCommand  `cmd:"" help:"Give an endpoint a new signing key."`
	Test    webhooksTestCommand    `cmd:"" help:"Post a signed test webhook now, and tell what came of it."`
	Apply   webhooksApplyCommand   `cmd:"" help:"Make the endpoints what a YAML file says."`
	Export  webhooksExportCommand  `cmd:"" help:"Print the endpoints as such a YAML file."`

	Deliveries webhooksDeliveriesCommand `cmd:"" help:"Show what became of deliveries, and deliver again."`

	Listen webhooksListenCommand `cmd:"" help:"Receive webhooks on this machine, verify them and show them."`
	Verify webhooksVerifyCommand `cmd:"" help:"Check one webhook that was saved to a file, and say what is wrong with it."`
}

// Help shows examples.
func (webhooksCommand) Help() string {
	return "  mlsdmctl webhooks\n" +
		"  mlsdmctl webhooks create audit https://example.com/hook --event 'ci.*'\n" +
		"  mlsdmctl webhooks test audit\n" +
		"  mlsdmctl webhooks export > webhooks.yaml\n" +
		"  mlsdmctl webhooks apply -f webhooks.yaml --dry-run"
}

// webhooksListCommand shows the endpoints.
type webhooksListCommand struct{}

// Run implements the command.
func (webhooksListCommand) Run(ctx context.Context, c *connection, t terminal) error {
	return c.withClient(ctx, t, func(cl *client.Client) error {
		all, err := cl.Endpoints(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t, events.EndpointsList{Endpoints: append([]events.Endpoint{}, all...)})
		}
		if len(all) == 0 {
			_, err := fmt.Fprintln(t.out, "no endpoint is configured; mlsdmctl webhooks create makes one, and so do WEBHOOK_URL and WEBHOOK_SECRET of the dispatcher")
			return err
		}
		w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
		for _, e := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(e.ID), printable(stateOf(e)), printable(oneLine(e.URL, 80)), printable(patternsOf(e)), printable(e.Source))
		}
		return w.Flush()
	})
}

// patternsOf writes which events an endpoint wants.
func patternsOf(e events.Endpoint) string {
	if len(e.Events) == 0 {
		return ">"
	}
	return oneLine(strings.Join(e.Events, " "), 80)
}

// stateOf writes how an endpoint does. The operator's switch outranks what is known of the receiver.
func stateOf(e events.Endpoint) string {
	if e.Disabled {
		return events.EndpointDisabledState
	}
	return e.Status.State
}

// webhooksGetCommand shows one endpoint.
type webhooksGetCommand struct {
	ID string `arg:"" help:"Id of the endpoint."`
}

// Help shows examples.
func (webhooksGetCommand) Help() string {
	return "  mlsdmctl webhooks get audit\n  mlsdmctl webhooks get audit --json | jq .status"
}

// Run implements the command.
func (g webhooksGetCommand) Run(ctx context.Context, c *connection, t terminal) error {
	var e events.Endpoint
	if err := c.call(ctx, t, events.OpEndpointsGet, events.EndpointRequest{ID: g.ID}, &e); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, e)
	}
	return showEndpoint(t.out, e)
}

// showEndpoint prints all of an endpoint, a field a line.
func showEndpoint(out io.Writer, e events.Endpoint) error {
	fields, err := fieldsOf(e.EndpointSpec)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "id\t%s\n", printable(e.ID))
	for _, f := range fields {
		fmt.Fprintf(w, "%s\t%s\n", printable(f.Field), jsonText(f.To))
	}
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, printable(oneLine(value, 200)))
		}
	}
	at := func(name string, when time.Time) {
		if !when.IsZero() {
			row(name, when.Local().Format(time.DateTime))
		}
	}
	row("source", e.Source)
	if e.Revision > 0 {
		row("revision", strconv.FormatUint(e.Revision, 10))
	}
	at("created", e.CreatedAt)
	at("updated", e.UpdatedAt)
	row("state", stateOf(e))
	row("reason", e.Status.Reason)
	at("since", e.Status.Since)
	at("failing since", e.Status.FailingSince)
	at("not before", e.Status.NotBefore)
	for _, key := range e.Keys {
		row("key", describeKey(key))
	}
	return w.Flush()
}

// describeKey writes a signing key in one line.
func describeKey(key events.EndpointKey) string {
	parts := []string{key.ID, key.Method}
	switch {
	case key.Reference != "":
		parts = append(parts, key.Reference)
	case key.PublicKey != "":
		parts = append(parts, key.PublicKey)
	default:
		parts = append(parts, "generated")
	}
	if !key.ExpiresAt.IsZero() {
		parts = append(parts, "until "+key.ExpiresAt.Local().Format(time.DateTime))
	}
	return strings.Join(parts, " ")
}

// withClient connects and does work. Each call has the patience of the command line.
func (c connection) withClient(ctx context.Context, t terminal, work func(*client.Client) error) error {
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	return hint(work(cl))
}
