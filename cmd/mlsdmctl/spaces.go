package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
)

// spacesCommand is about the spaces that vectors lie in.
type spacesCommand struct {
	List   spacesListCommand   `cmd:"" help:"List the models, and how long their vectors are."`
	Accept spacesAcceptCommand `cmd:"" help:"Agree that the vectors of a model have another length."`
	Forget spacesForgetCommand `cmd:"" help:"Forget a model: the length of its next vector is taken."`
}

// spacesListCommand lists what is pinned.
type spacesListCommand struct{}

// spacesAcceptCommand agrees to another length.
type spacesAcceptCommand struct {
	Model      string `arg:"" help:"MODEL, or MODEL@REVISION, as spaces list names it."`
	Dimensions int    `placeholder:"N" help:"The length; without it that of the next vector."`
	Yes        bool   `short:"y" help:"Do not ask."`
}

// spacesForgetCommand forgets a model.
type spacesForgetCommand struct {
	Model string `arg:"" help:"MODEL, or MODEL@REVISION, as spaces list names it."`
	Yes   bool   `short:"y" help:"Do not ask."`
}

// pinned is what is known of a model, for machines.
type pinned struct {
	spaces.Pin

	Error string `json:"error,omitempty"`
}

// Help says what a space is.
func (spacesListCommand) Help() string {
	return "The first vector of a model says how long its vectors are. An answer of another length is refused from then on, because vectors of\n" +
		"two lengths cannot be compared; the event embedding.space_changed tells of it.\n\n  mlsdmctl spaces list\n  mlsdmctl spaces list --json | jq -r '.[].model'"
}

// Help shows examples.
func (spacesAcceptCommand) Help() string {
	return "Vectors that are stored somewhere already cannot be compared with the new ones: embed those texts again.\n\n" +
		"  mlsdmctl spaces accept openai/text-embedding-3-small\n  mlsdmctl spaces accept docs --dimensions 1024 --yes"
}

// Help shows an example.
func (spacesForgetCommand) Help() string { return "  mlsdmctl spaces forget tei/bge-small" }

// Run implements the command.
func (spacesListCommand) Run(ctx context.Context, c *connection, t terminal) error {
	var entries []spaces.Entry
	err := withBus(ctx, c, t, func(ctx context.Context, b *bus.Bus) (err error) {
		entries, err = spaces.List(ctx, b)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		list := make([]pinned, 0, len(entries))
		for _, e := range entries {
			list = append(list, pinnedOf(e))
		}
		return printJSON(t, list)
	}
	if len(entries) == 0 {
		_, err := fmt.Fprintln(t.out, "nothing is known yet: the first vector of a model says how long its vectors are")
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tDIMENSIONS\tSINCE\tBY")
	for _, e := range entries {
		if e.Err != nil {
			fmt.Fprintf(w, "%s\tcannot be read: %s\t\t\n", printable(e.Name()), printable(e.Err.Error()))
			continue
		}
		by := printable(e.Provider)
		if by == "" {
			by = "an operator"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", printable(e.Name()), e.Dimensions, e.PinnedAt.Local().Format(time.DateTime), by)
	}
	return w.Flush()
}

// pinnedOf is an entry for machines.
func pinnedOf(e spaces.Entry) pinned {
	p := pinned{Pin: e.Pin}
	if e.Err != nil {
		p.Error = e.Err.Error()
	}
	return p
}

// Run implements the command.
func (s spacesAcceptCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if s.Dimensions < 0 || s.Dimensions > spaces.MaxDimensions {
		return &usageError{fmt.Errorf("--dimensions is %d; it must be 1 to %d", s.Dimensions, spaces.MaxDimensions)}
	}
	return acceptSpace(ctx, c, t, s.Model, s.Dimensions, s.Yes)
}

// Run implements the command.
func (s spacesForgetCommand) Run(ctx context.Context, c *connection, t terminal) error {
	return acceptSpace(ctx, c, t, s.Model, 0, s.Yes)
}

// errNotAccepted ends what was not confirmed.
var errNotAccepted = errors.New("nothing was changed: the question was not answered with y; --yes does not ask")

// acceptSpace agrees to vectors of another length, those of the next answer if it is 0.
func acceptSpace(ctx context.Context, c *connection, t terminal, model string, dimensions int, yes bool) error {
	becomes := "its next vector says how long they are"
	if dimensions > 0 {
		becomes = fmt.Sprintf("they have %d numbers", dimensions)
	}
	if !yes {
		if !interactive(t.in) {
			return &usageError{errors.New("nobody can be asked, as the standard input is no terminal: say --yes")}
		}
		fmt.Fprintln(t.err, "Vectors of "+printable(model)+" that are stored somewhere may not be comparable with those that come: from now on "+becomes+".")
		if err := confirm(ctx, t, "Go ahead?", errNotAccepted); err != nil {
			return err
		}
	}
	var before spaces.Entry
	err := withBus(ctx, c, t, func(ctx context.Context, b *bus.Bus) (err error) {
		before, err = spaces.Accept(ctx, b, model, dimensions)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		out := map[string]any{"model": model, "before": before.Dimensions}
		if dimensions > 0 {
			out["dimensions"] = dimensions
		}
		return printJSON(t, out)
	}
	was := "there was nothing known of it"
	switch {
	case before.Err != nil:
		was = "what was known of it could not be read"
	case before.Dimensions > 0:
		was = fmt.Sprintf("they had %d", before.Dimensions)
	}
	_, err = fmt.Fprintf(t.out, "Vectors of %s: %s; %s\n", printable(model), becomes, was)
	return err
}
