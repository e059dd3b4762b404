package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ciCommand shows CI health.
type ciCommand struct {
	Check bool `help:"Ask GitHub now, instead of telling what was last seen."`
}

// Run implements the command.
func (q ciCommand) Run(ctx context.Context, c *connection, t terminal) error {
	operation := events.OpCIStatus
	if q.Check {
		operation = events.OpCICheck
	}
	var status events.CIStatus
	if err := c.call(ctx, t, operation, events.CIStatusRequest{}, &status); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, status)
	}
	if status.LastError != "" {
		fmt.Fprintf(t.out, "the last look failed: %s\n", printable(status.LastError))
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	for _, wf := range status.Workflows {
		last := "no run yet"
		if wf.LastRun != nil {
			last = fmt.Sprintf("run %d %s", wf.LastRun.RunNumber, wf.LastRun.Conclusion)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d failed in a row\t%s\n",
			wf.Health, printable(status.Repository), printable(wf.Workflow), printable(wf.Branch), wf.ConsecutiveFailures, printable(last))
	}
	return w.Flush()
}

// call asks one interactive operation.
func (c connection) call(ctx context.Context, t terminal, operation string, req, resp any) error {
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, max(c.Timeout, time.Millisecond))
	defer cancel()
	return hint(cl.Call(ctx, operation, req, resp))
}

// printable takes control characters out of what others wrote, so that it cannot play with the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f {
			return -1
		}
		return r
	}, s)
}
