package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/backup"
)

// restoreCommand brings a backup back.
type restoreCommand struct {
	Dir      string `arg:"" help:"Folder of the backup."`
	DryRun   bool   `help:"Check the backup, show what would be done, and do nothing."`
	Replace  bool   `help:"Delete what the streams hold now."`
	Replicas int    `default:"0" help:"Copies of every stream: 1, 3 or 5; 0 is as in the backup."`
	Yes      bool   `short:"y" help:"Do not ask."`
	Quiet    bool   `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (restoreCommand) Help() string {
	return "Stop the services first. Nothing is touched before all of the backup was read and found whole. Empty streams, as provision makes them,\n" +
		"are replaced; others only with --replace. Interrupted, the same command goes on where it was.\n\n" +
		"  mlsdmctl restore /backup/monday --dry-run\n  mlsdmctl restore /backup/monday --replicas 3 --nkey deploy/installation/users/admin.nk"
}

// Run implements the command.
func (k restoreCommand) Run(ctx context.Context, c *connection, t terminal) error {
	switch k.Replicas {
	case 0, 1, 3, 5:
	default:
		return &usageError{fmt.Errorf("--replicas is %d; it must be 1, 3 or 5, or 0 for those of the backup", k.Replicas)}
	}
	m, err := backup.Verify(ctx, k.Dir)
	if err != nil {
		return transferEnd(ctx, err)
	}
	b, err := c.bus(ctx, t)
	if err != nil {
		return err
	}
	defer b.Close(context.WithoutCancel(ctx)) //nolint:errcheck // all calls have been answered by then
	steps, err := backup.Plan(ctx, b, m, k.Replace)
	if err != nil {
		return hint(err)
	}
	destroys := false
	for _, s := range steps {
		destroys = destroys || s.Action == backup.ActionReplace && s.Holds > 0
		if !c.JSON {
			fmt.Fprintf(t.out, "%-8s %-28s %d messages, instead of %d\n", s.Action, s.Stream, s.State.Messages, s.Holds)
		}
	}
	if !k.DryRun {
		if err := k.load(ctx, c, t, destroys, func(told backup.Told) error {
			return backup.Load(ctx, b, k.Dir, m, steps, k.Replicas, told)
		}); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(t, map[string]any{"dry_run": k.DryRun, "backup": m.ID, "steps": steps})
	}
	return nil
}

// load restores, after a question if something is deleted by that.
func (k restoreCommand) load(ctx context.Context, c *connection, t terminal, destroys bool, restore func(backup.Told) error) error {
	if destroys && !k.Yes {
		otherwise := errors.New("nothing was done: --yes deletes what the streams hold without a question")
		if !interactive(t.in) {
			return otherwise
		}
		if err := confirm(ctx, t, "Delete what these streams hold now?", otherwise); err != nil {
			return err
		}
	}
	shown := newDisplay(t, k.Quiet || c.JSON)
	err := restore(tellTransfer(shown))
	shown.end()
	return transferEnd(ctx, err)
}
