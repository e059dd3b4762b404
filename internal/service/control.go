package service

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/control"
	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// NewInstance returns a name for a replica that is about to run: that of its host, which a person knows, and a part that no other
// replica has, nor this one after its next start.
func NewInstance() string {
	const longest = 40
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "host"
	}
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, host)
	part := make([]byte, 4)
	_, _ = rand.Read(part) // documented never to fail
	return host[:min(len(host), longest)] + "-" + hex.EncodeToString(part)
}

// NewLine returns the way out of a replica that is on a bus. Its error goes to ended, which has room for one; who comes later comes too
// late.
func NewLine(b *bus.Bus, service, instance, spool string, log *slog.Logger, ended chan<- error) *emergency.Line {
	return emergency.New(emergency.Options{
		Service: service, Instance: instance, Spool: emergency.NewSpool(spool), Log: log,
		Publish: func(ctx context.Context, ev events.Event) error {
			_, err := b.PublishEvent(ctx, ev)
			return err
		},
		End: func(err error) {
			select {
			case ended <- err:
			default:
			}
		},
	})
}

// HoldMemory has a bus say what its consumers hold, and has them ask for no more work while memory is critical.
func HoldMemory(parts *memory.Parts, b *bus.Bus) {
	parts.Holds("held messages", b.HeldBytes)
	parts.Sheds("durable work", b.Pause, b.Resume)
}

// await returns why the process must end, or nil when ctx ends before that.
func await(ctx context.Context, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// attend answers operators until ctx ends.
func (i Instance) attend(ctx context.Context, deps Deps) error {
	err := control.Replica{
		Bus: deps.Bus, Service: deps.Name, Instance: deps.Instance, Level: deps.Level, Line: deps.Emergency, Log: deps.Logger, Others: deps.Others,
	}.Serve(ctx)
	if err != nil {
		return fmt.Errorf("%s does not start: %w", i.unit.Name, err)
	}
	return nil
}

// completeControl fills in what the caller left out of what operators do. Without a way out, there is one that ends nothing.
func (i Instance) completeControl(deps *Deps) {
	if deps.Level == nil {
		deps.Level = new(slog.LevelVar)
	}
	if deps.Memory == nil {
		deps.Memory = new(memory.Parts)
	}
	if deps.Emergency == nil {
		if deps.Instance == "" {
			deps.Instance = NewInstance()
		}
		deps.Emergency = NewLine(deps.Bus, deps.Name, deps.Instance, i.settings.Common.SpoolDir, deps.Logger, make(chan error, 1))
	}
	deps.Instance = deps.Emergency.Instance
}
