package main

import (
	"context"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ciHistoryCommand shows what was counted and done.
type ciHistoryCommand struct {
	Repository string `arg:"" name:"repo" help:"Repository, as owner/name."`

	ciFilter `embed:""`

	Limit int `default:"20" help:"How many runs at most, 1 to 1000."`
}

// Help says what is shown, with examples.
func (ciHistoryCommand) Help() string {
	return "For each workflow and branch, its runs in a strip, the oldest first (+ passed, x failed, - neither, ~ flaky: the same commit did both),\n" +
		"and its figures of the last 30 days. Then the runs, the newest first; what was done to recover; and the days (UTC). With --json it is\n" +
		"the reply of ci.history, which has everything but the figures: these are in ci status --json.\n\n" +
		"  mlsdmctl ci history neuron7x/mlsdm\n" +
		"  mlsdmctl ci history neuron7x/mlsdm --workflow ci.yml --branch main --limit 100\n" +
		"  mlsdmctl ci history neuron7x/mlsdm --json | jq -r '.runs[] | select(.result == \"failed\").url'"
}

// request is the question that the flags are.
func (h ciHistoryCommand) request() (events.CIHistoryRequest, error) {
	if h.Limit < 1 {
		return events.CIHistoryRequest{}, &usageError{fmt.Errorf("--limit is %d; it must be 1 to 1000", h.Limit)}
	}
	forge, name, err := h.of(h.Repository)
	if err != nil {
		return events.CIHistoryRequest{}, err
	}
	req := events.CIHistoryRequest{Repository: name, Forge: forge, Workflow: h.Workflow, Branch: h.Branch, Limit: h.Limit}
	if err := req.Validate(); err != nil {
		return req, &usageError{err}
	}
	return req, nil
}

// Run implements the command.
func (h ciHistoryCommand) Run(ctx context.Context, c *connection, t terminal) error {
	req, err := h.request()
	if err != nil {
		return err
	}
	return c.withClient(ctx, t, func(cl *client.Client) error {
		var history events.CIHistory
		raw, err := askCI(ctx, cl, c, events.OpCIHistory, req, &history)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t, raw)
		}
		var status events.CIStatus
		same := events.CIStatusRequest{Forge: req.Forge, Repository: req.Repository, Workflow: req.Workflow, Branch: req.Branch}
		if _, err := askCI(ctx, cl, c, events.OpCIStatus, same, &status); err != nil {
			fmt.Fprintf(t.err, "mlsdmctl: the figures are not known: %s\n", plain(err.Error(), maxSentence))
		}
		return printCIHistory(t.out, isColourful(t), history, status, time.Now())
	})
}
