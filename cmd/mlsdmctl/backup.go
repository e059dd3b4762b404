package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/backup"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
)

// backupCommand saves the installation to a folder.
type backupCommand struct {
	Dir    string `arg:"" help:"Folder for the backup; it is made if need be."`
	Verify bool   `help:"Only check that the backup in the folder is whole. No server is needed."`
	Quiet  bool   `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (backupCommand) Help() string {
	return "Streams with their messages and consumers, KV buckets and object stores, while everything runs. Interrupted, the same command goes on\n" +
		"where it was. The folder holds payloads: it can be read by its owner only; keep it so.\n\n" +
		"  mlsdmctl backup /backup/monday --nkey deploy/installation/users/admin.nk\n  mlsdmctl backup /backup/monday --verify"
}

// Run implements the command.
func (k backupCommand) Run(ctx context.Context, c *connection, t terminal) error {
	m, err := k.run(ctx, c, t)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, m)
	}
	var messages uint64
	var size int64
	for _, a := range m.Assets {
		messages += a.State.Messages
		size += a.Size
	}
	_, err = fmt.Fprintf(t.out, "%s is whole: %d streams with %d messages in %d bytes, taken from %s to %s by version %s\n",
		k.Dir, len(m.Assets), messages, size, m.Began.Format(time.RFC3339), m.Finished.Format(time.RFC3339), m.Version)
	return err
}

func (k backupCommand) run(ctx context.Context, c *connection, t terminal) (*backup.Manifest, error) {
	if k.Verify {
		return backup.Verify(ctx, k.Dir)
	}
	b, err := c.bus(ctx, t)
	if err != nil {
		return nil, err
	}
	defer b.Close(context.WithoutCancel(ctx)) //nolint:errcheck // all calls have been answered by then
	shown := newDisplay(t, k.Quiet || c.JSON)
	m, err := backup.Save(ctx, b, k.Dir, tellTransfer(shown))
	shown.end()
	return m, transferEnd(ctx, err)
}

// tellTransfer shows how far snapshots have come.
func tellTransfer(d *display) backup.Told {
	return func(stream, what string, bytes int64) {
		line := fmt.Sprintf("%-9s %s  %.1f MB", what, stream, float64(bytes)/1e6)
		switch what {
		case "waiting":
			d.say("waiting %s: the server gives up the restore that was interrupted", bus.RestoreGivenUp)
		case "saving", "restoring":
			if d.due(time.Now()) && d.live {
				d.draw(line)
			}
		default:
			d.say("%s", line)
		}
	}
}

// transferEnd says of an interrupted backup or restore what to do.
func transferEnd(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return &resumableError{errors.New("interrupted; the same command goes on where it was"), context.Canceled, lifecycle.ExitKilled}
	}
	return hint(err)
}
