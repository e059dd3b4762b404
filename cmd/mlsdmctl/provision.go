package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
)

// provisionCommand makes the assets of the catalogue.
type provisionCommand struct {
	DryRun bool `help:"Show what would be done, and do nothing."`

	provision.Config `embed:""`
}

// Help shows examples.
func (provisionCommand) Help() string {
	return "It does only what is missing or different, so it can be run again at any time. When it has changed something in a cluster it waits, for --timeout at most,\n" +
		"until every copy has what is stored; services go on working meanwhile.\n\n" +
		"  mlsdmctl provision --dry-run\n  mlsdmctl provision --replicas 3 --events-max-age 720h"
}

// Run implements the command.
func (p provisionCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if err := p.Validate(); err != nil {
		return err
	}
	b, err := c.bus(ctx, t)
	if err != nil {
		return err
	}
	defer b.Close(ctx) //nolint:errcheck // all calls have been answered by then: there is nothing left to lose
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	steps, err := provision.Plan(ctx, b, p.Config)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	show := func(s provision.Step) {
		if c.JSON {
			return
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Action, s.Kind, s.Name)
		for _, change := range s.Changes {
			fmt.Fprintf(w, "\t\t  %s\n", change)
		}
	}
	if p.DryRun {
		for _, s := range steps {
			show(s)
		}
	} else {
		err = provision.Apply(ctx, steps, show)
		// Where nothing is changed there is nothing to wait for: a server that is down is then no reason to fail.
		if err == nil && slices.ContainsFunc(steps, func(s provision.Step) bool { return s.Action != provision.ActionKeep }) {
			err = settle(ctx, b, w, t)
		}
	}
	if c.JSON && err == nil {
		return printJSON(t, map[string]any{"dry_run": p.DryRun, "steps": steps})
	}
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// settle shows what was done, and waits until the copies of it are complete.
func settle(ctx context.Context, b *bus.Bus, done *tabwriter.Writer, t terminal) error {
	if err := done.Flush(); err != nil {
		return err
	}
	return provision.Settle(ctx, b, func(p provision.Progress) {
		if p.Done < p.Total {
			fmt.Fprintf(t.err, "%d of %d streams and buckets have all of their copies\n", p.Done, p.Total)
		}
	})
}
