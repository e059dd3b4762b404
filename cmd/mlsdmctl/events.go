package main

import (
	"context"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// eventsCommand follows the events stream.
type eventsCommand struct {
	Types []string      `arg:"" optional:"" name:"type" help:"Event types; * stands for one part, a final > for the rest. Without any, all."`
	Since time.Duration `placeholder:"DURATION" help:"Begin with the events of that long ago, for example 1h."`
}

// Help shows examples.
func (eventsCommand) Help() string {
	return "  mlsdmctl events\n  mlsdmctl events 'ci.*' moral_filter.reject --since 24h\n  mlsdmctl events --json | jq .type"
}

// Run implements the command.
func (e eventsCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if e.Since < 0 {
		return fmt.Errorf("--since is %s; it must be positive, like 1h", e.Since)
	}
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	options := []client.SubscribeOption{client.OnBadEvent(func(err error) { fmt.Fprintf(t.err, "mlsdmctl: %v\n", err) })}
	if e.Since > 0 {
		options = append(options, client.Since(e.Since))
	}
	sub, err := cl.Subscribe(ctx, e.Types, func(_ context.Context, ev events.Event) error { return showEvent(c, t, ev) }, options...)
	if err != nil {
		return hint(err)
	}
	if !c.JSON {
		fmt.Fprintln(t.err, "waiting for events; Ctrl-C ends it")
	}
	<-sub.Done()
	return sub.Err()
}

// showEvent prints one event.
func showEvent(c *connection, t terminal, ev events.Event) error {
	if c.JSON {
		return printJSON(t, ev)
	}
	about := ev.Subject
	if about == "" {
		about = ev.Source
	}
	_, err := fmt.Fprintf(t.out, "%s  %-28s %-24s %s\n", ev.Time.Local().Format("15:04:05.000"), ev.Type, printable(about), printable(oneLine(string(ev.Data), 160)))
	return err
}
