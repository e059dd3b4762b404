package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ciCommand is the group of commands about CI. Alone it shows health.
type ciCommand struct {
	Status        ciStatusCommand        `cmd:"" default:"withargs" help:"Show the health of each workflow and branch; what ci does alone."`
	Check         ciCheckCommand         `cmd:"" help:"Ask the forges now, and show the health after that."`
	History       ciHistoryCommand       `cmd:"" help:"Show which runs were counted, and what was done."`
	Recover       ciRecoverCommand       `cmd:"" help:"Recover a workflow now, or say what would be done."`
	WebhookSecret ciWebhookSecretCommand `cmd:"" help:"Make a secret for a forge's webhooks, and say where it belongs."`
}

// Help shows examples.
func (ciCommand) Help() string {
	return "What ciwatch watches, and what it does about it; without a command it is ci status. docs/ci.md tells all of it.\n\n" +
		"  mlsdmctl ci\n" +
		"  mlsdmctl ci status neuron7x/mlsdm --watch\n" +
		"  mlsdmctl ci check neuron7x/mlsdm\n" +
		"  mlsdmctl ci history neuron7x/mlsdm --workflow ci.yml --branch main\n" +
		"  mlsdmctl ci recover neuron7x/mlsdm --workflow ci.yml --branch main --dry-run\n" +
		"  mlsdmctl ci webhook-secret"
}

// ciFilter is the flags that choose workflows of a repository.
type ciFilter struct {
	Workflow string `placeholder:"WORKFLOW" help:"That workflow, by its name, its file's name or its id."`
	Branch   string `placeholder:"BRANCH" help:"That branch."`
	Forge    string `placeholder:"NAME" help:"That forge, by its name in the configuration."`
}

// of is the repository as it was given, and the forge that it is of: REPO may be FORGE:REPO, as lists show it.
func (f ciFilter) of(repository string) (forge, name string, err error) {
	forge, name = f.Forge, repository
	if before, after, ok := strings.Cut(repository, ":"); ok {
		if forge != "" && forge != before {
			return "", "", &usageError{fmt.Errorf("--forge is %q, and the repository is of %q", forge, before)}
		}
		forge, name = before, after
	}
	if name != "" && !strings.Contains(name, "/") {
		return "", "", &usageError{fmt.Errorf("%q is neither a repository, which is owner/name, nor a command; \"mlsdmctl ci --help\" shows those that there are", repository)}
	}
	return forge, name, nil
}

// ciStatusFilter is the flags that choose workflows by their health, too.
type ciStatusFilter struct {
	Repository string `arg:"" optional:"" name:"repo" help:"Repository, as owner/name; all without it."`

	ciFilter `embed:""`

	Health string `enum:",healthy,failing,degraded,recovering,stale,unknown" default:"" placeholder:"WORD" help:"Those that are healthy, failing, degraded, recovering, stale or unknown."`
}

// request is the question that the flags are.
func (f ciStatusFilter) request() (events.CIStatusRequest, error) {
	forge, name, err := f.of(f.Repository)
	if err != nil {
		return events.CIStatusRequest{}, err
	}
	req := events.CIStatusRequest{Forge: forge, Repository: name, Workflow: f.Workflow, Branch: f.Branch, Health: f.Health}
	if err := req.Validate(); err != nil {
		return req, &usageError{err}
	}
	return req, nil
}

// ciStatusCommand shows CI health as it was seen last.
type ciStatusCommand struct {
	ciStatusFilter `embed:""`

	Watch bool `short:"w" help:"Go on, and show every change; Ctrl-C ends it."`
}

// Help says what is shown, with examples.
func (ciStatusCommand) Help() string {
	return "One line for each workflow and branch: its health and since when that is so, how many runs failed in a row, the last commit that was\n" +
		"good, the job that is the most flaky and on what share of the commits, and how the last recovery does. Below stand the rate limits of\n" +
		"the forges. Health is healthy, failing (fewer failed runs than the rule's threshold), degraded, recovering, stale (no run for too long)\n" +
		"or unknown. Colours are for terminals; NO_COLOR switches them off. With --watch --json each change is a line.\n\n" +
		"  mlsdmctl ci status\n" +
		"  mlsdmctl ci status --health degraded\n" +
		"  mlsdmctl ci status neuron7x/mlsdm --workflow ci.yml --branch main --watch\n" +
		"  mlsdmctl ci status --json | jq '.workflows[] | select(.consecutive_failures > 0)'"
}

// Run implements the command.
func (s ciStatusCommand) Run(ctx context.Context, c *connection, t terminal) error {
	req, err := s.request()
	if err != nil {
		return err
	}
	if s.Watch {
		return watchCI(ctx, c, t, req)
	}
	return tellCI(ctx, c, t, events.OpCIStatus, req)
}

// ciCheckCommand shows CI health as it is.
type ciCheckCommand struct {
	ciStatusFilter `embed:""`
}

// Help shows examples.
func (ciCheckCommand) Help() string {
	return "What is not known yet of the runs is known then, and events tell of it. Without a repository all are asked about, as long as they are\n" +
		"at most 20. It costs some of the rate limit, and fails when a forge cannot be asked.\n\n" +
		"  mlsdmctl ci check\n" +
		"  mlsdmctl ci check neuron7x/mlsdm --branch main --json"
}

// Run implements the command.
func (k ciCheckCommand) Run(ctx context.Context, c *connection, t terminal) error {
	req, err := k.request()
	if err != nil {
		return err
	}
	return tellCI(ctx, c, t, events.OpCICheck, req)
}

// tellCI asks one of the operations about health, and prints the answer.
func tellCI(ctx context.Context, c *connection, t terminal, operation string, req events.CIStatusRequest) error {
	return c.withClient(ctx, t, func(cl *client.Client) error {
		var status events.CIStatus
		raw, err := askCI(ctx, cl, c, operation, req, &status)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t, raw)
		}
		return printCIStatus(t.out, isColourful(t), req, status, time.Now())
	})
}

// askCI asks one operation, and returns the reply as it came, too: what machines are given has all that is in it.
func askCI(ctx context.Context, cl *client.Client, c *connection, operation string, req, resp any) (json.RawMessage, error) {
	var raw json.RawMessage
	if err := ask(ctx, cl, c, operation, req, &raw); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, resp); err != nil {
		return nil, fmt.Errorf("the answer of %s cannot be read: %w", operation, err)
	}
	return raw, nil
}
