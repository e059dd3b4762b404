package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ciRecoverCommand recovers a workflow.
type ciRecoverCommand struct {
	Repository string `arg:"" name:"repo" help:"Repository, as owner/name."`

	ciFilter `embed:""`

	DryRun bool `help:"Only say what would be done."`
	Yes    bool `short:"y" help:"Do not ask."`
}

// Help says what is done, with examples.
func (ciRecoverCommand) Help() string {
	return "What is done is the action of the rule that the workflow is watched by. Threshold, cooldown and counts of the rule do not hold when a\n" +
		"person asks; its other gates do (branches, events, never_when_step, forks, age), and so does its dry_run. When nothing is done, that is\n" +
		"said, and why, and the exit status is 1. --workflow and --branch are needed if there are several.\n\n" +
		"  mlsdmctl ci recover neuron7x/mlsdm --dry-run\n" +
		"  mlsdmctl ci recover neuron7x/mlsdm --workflow ci.yml --branch main\n" +
		"  mlsdmctl ci recover neuron7x/mlsdm --workflow ci.yml --branch main --yes --json"
}

// errNotRecovered ends what was not confirmed.
var errNotRecovered = errors.New("nothing was done: the question was not answered with y; --yes does not ask")

// Run implements the command.
func (r ciRecoverCommand) Run(ctx context.Context, c *connection, t terminal) error {
	forge, name, err := r.of(r.Repository)
	if err != nil {
		return err
	}
	req := events.CIRecoverRequest{Repository: name, Forge: forge, Workflow: r.Workflow, Branch: r.Branch, DryRun: r.DryRun}
	if err := req.Validate(); err != nil {
		return &usageError{err}
	}
	asks := !r.DryRun && !r.Yes
	if asks && !interactive(t.in) {
		return &usageError{errors.New("nobody can be asked, as the standard input is no terminal: say --yes, or --dry-run to see what would be done")}
	}
	return c.withClient(ctx, t, func(cl *client.Client) error {
		if asks {
			if err := r.confirm(ctx, cl, c, t, req); err != nil {
				return err
			}
		}
		var reply events.CIRecoverReply
		raw, err := askCI(ctx, cl, c, events.OpCIRecover, req, &reply)
		if err != nil {
			return err
		}
		if c.JSON {
			err = printJSON(t, raw)
		} else {
			err = printRecovery(t, reply)
		}
		if err != nil || r.DryRun {
			return err
		}
		return notDone(reply)
	})
}

// confirm says what would be done, and asks whether it is to be.
func (r ciRecoverCommand) confirm(ctx context.Context, cl *client.Client, c *connection, t terminal, req events.CIRecoverRequest) error {
	req.DryRun = true
	var would events.CIRecoverReply
	if _, err := askCI(ctx, cl, c, events.OpCIRecover, req, &would); err != nil {
		return err
	}
	if would.Recovery == nil {
		return notDone(would)
	}
	rule := ""
	if would.Recovery.Rule != "" {
		rule = ", as the rule " + strconv.Quote(would.Recovery.Rule) + " says"
	}
	return confirm(ctx, t, plain(deed(*would.Recovery)+rule+"?", maxSentence), errNotRecovered)
}

// notDone is the error of a recovery that was to be done and was not; nil when it was.
func notDone(reply events.CIRecoverReply) error {
	switch r := reply.Recovery; {
	case r == nil:
		return errors.New("nothing was done: " + plain(whyNot(reply), maxSentence))
	case r.State == events.CIRecoveryDryRun:
		return errors.New("nothing was done: " + plain(whyNot(reply), maxSentence))
	case r.State == events.CIRecoveryRefused:
		return errors.New("it was refused: " + plain(r.Reason, maxSentence))
	default:
		return nil
	}
}

// whyNot says why nothing is done.
func whyNot(reply events.CIRecoverReply) string {
	if reply.WhyNot == "" {
		return "it was not said why"
	}
	return reply.WhyNot
}

// printRecovery prints what is done, or would be.
func printRecovery(t terminal, reply events.CIRecoverReply) error {
	r := reply.Recovery
	if r == nil {
		_, err := fmt.Fprintln(t.out, "nothing is done: "+plain(whyNot(reply), maxSentence))
		return err
	}
	tb := &table{}
	row := func(name, value string) {
		if value != "" {
			tb.row(plainCells(name, value)...)
		}
	}
	row("what", deed(*r))
	row("commit", commit(r.HeadSHA))
	row("rule", r.Rule)
	row("why", r.Reason)
	row("id", r.ID)
	state := recoveryCell(r.State)
	if reply.WhyNot != "" {
		state.text += ": " + reply.WhyNot
	}
	tb.row(cell{text: "state"}, state)
	if err := tb.write(t.out, isColourful(t)); err != nil {
		return err
	}
	if r.State == events.CIRecoveryAsked || r.State == events.CIRecoveryPlanned {
		fmt.Fprintln(t.err, "\"mlsdmctl ci history\" tells how it goes")
	}
	return nil
}

// deed says what a recovery does.
func deed(r events.CIRecovery) string {
	run := "run " + runOf(r)
	var text string
	switch r.Action {
	case "rerun_failed_jobs":
		text = "run the failed jobs of " + run + " again"
	case "rerun":
		text = "run all of " + run + " again"
	case "workflow_dispatch":
		text = "start the rule's workflow because of " + run
	case "webhook":
		text = "post the rule's webhook about " + run
	case "publish":
		text = "publish " + events.TypeSystemRecoveryTriggered + " about " + run
	default:
		text = r.Action + " of " + run
	}
	if r.Workflow != "" {
		text += ", " + r.Workflow + " on " + r.Branch
	}
	return text
}

// runOf names the run that is recovered, and its attempt, if that is a number of attempts: a forge that does not count them has a time there.
func runOf(r events.CIRecovery) string {
	const most = 1_000_000
	run := strconv.FormatInt(r.RunID, 10)
	if r.RunAttempt > 1 && r.RunAttempt < most {
		run += fmt.Sprintf(" (attempt %d)", r.RunAttempt)
	}
	return run
}
