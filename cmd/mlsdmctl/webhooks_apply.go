package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/declared"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// webhooksApplyCommand makes the endpoints what a file says.
type webhooksApplyCommand struct {
	File    string         `short:"f" required:"" placeholder:"FILE" help:"YAML file; - is the standard input."`
	DryRun  bool           `help:"Check everything, show what would be done, and do nothing."`
	Prune   bool           `help:"Remove endpoints that the file does not have."`
	Yes     bool           `short:"y" help:"Do not ask before endpoints are removed."`
	Overlap *time.Duration `placeholder:"DURATION" help:"How long keys go on signing that the file takes away; 24h without it."`

	secretFlags `embed:""`
}

// Help shows examples.
func (webhooksApplyCommand) Help() string {
	return "The fields are those that get --json shows; what the file does not say of an endpoint is taken back. Running it again changes\n" +
		"nothing. An endpoint that fails does not stop the others; then nothing is removed, and the exit code is 1.\n\n" +
		"  endpoints:\n" +
		"    - id: audit\n" +
		"      url: https://example.com/hook\n" +
		"      events: [ci.*, moral_filter.reject]\n" +
		"      headers: {Authorization: secret:audit_token}\n" +
		"      signing: [{method: v1a, key: secret:audit_key}]\n" +
		"      retry: standard\n" +
		"      rate_limit: {per_second: 50, burst: 100}\n\n" +
		"  mlsdmctl webhooks apply -f webhooks.yaml --dry-run\n" +
		"  mlsdmctl webhooks apply -f webhooks.yaml --prune"
}

// Run implements the command.
func (w webhooksApplyCommand) Run(ctx context.Context, c *connection, t terminal) (err error) {
	want, err := w.read(t)
	if err != nil {
		return err
	}
	if err := (events.EndpointUpdateRequest{ID: "x", Overlap: overlapOf(w.Overlap)}).Validate(); err != nil {
		return err
	}
	sink, err := w.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.close(t)) }()
	return c.withClient(ctx, t, func(cl *client.Client) error {
		p, err := w.plan(ctx, cl, want)
		if err != nil {
			return err
		}
		if !c.JSON {
			if err := p.print(t); err != nil {
				return err
			}
		}
		if !w.DryRun {
			if err := w.carryOut(ctx, c, t, cl, p, sink); err != nil {
				return err
			}
		}
		if c.JSON {
			if err := printJSON(t, p); err != nil {
				return err
			}
		}
		return p.failure()
	})
}

// read reads the file.
func (w webhooksApplyCommand) read(t terminal) ([]declared.Endpoint, error) {
	in, name := t.in, "the standard input"
	if w.File != "-" {
		file, err := os.Open(w.File)
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // only read
		in, name = file, w.File
	}
	text, err := io.ReadAll(io.LimitReader(in, declared.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return declared.Parse(name, text)
}

// carryOut does what is planned.
func (w webhooksApplyCommand) carryOut(ctx context.Context, c *connection, t terminal, cl *client.Client, p *plan, sink *secretSink) error {
	var removals []*step
	for _, s := range p.Endpoints {
		switch s.Action {
		case actionCreate, actionChange:
			told, err := s.apply(ctx, cl, sink)
			if err != nil {
				s.fail(err)
			}
			s.Secrets = told
			if !c.JSON {
				if err := s.printOutcome(t, sink); err != nil {
					return err
				}
			}
		case actionRemove:
			removals = append(removals, s)
		}
	}
	if len(removals) == 0 {
		return nil
	}
	failed := p.failed() > 0
	if !w.Yes && !failed {
		ids := make([]string, 0, len(removals))
		for _, s := range removals {
			ids = append(ids, printable(s.ID))
		}
		if err := confirm(ctx, t, fmt.Sprintf("Remove %s, with their keys?", strings.Join(ids, ", ")), errNotConfirmed); err != nil {
			return err
		}
	}
	for _, s := range removals {
		if failed {
			s.fail(errors.New("it is not removed because others failed"))
		} else if err := cl.Call(ctx, events.OpEndpointsDelete, events.EndpointDeleteRequest{ID: s.ID, Revision: s.revision}, nil); err != nil {
			s.fail(err)
		}
		if !c.JSON {
			if err := s.printOutcome(t, sink); err != nil {
				return err
			}
		}
	}
	return nil
}
