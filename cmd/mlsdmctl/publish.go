package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// publishCommand publishes one event.
type publishCommand struct {
	Type    string `arg:"" help:"Event type, for example custom.deploy."`
	Data    string `arg:"" optional:"" help:"The payload: JSON, or a text. Without it, all of the standard input; - says so too."`
	ID      string `help:"Event id; publishing the same id twice within two minutes stores it once. Without it a fresh one."`
	Subject string `help:"What the event is about, for example neuron7x/mlsdm."`
}

// Help shows examples.
func (publishCommand) Help() string {
	return "The payload of a type of the catalogue is checked before it is published.\n\n" +
		"  mlsdmctl publish custom.deploy '{\"version\":\"1.2.3\"}'\n" +
		"  mlsdmctl publish moral_filter.reject '{\"stage\":\"prompt\",\"score\":0.2,\"threshold\":0.5}'\n" +
		"  git log -1 --format=%s | mlsdmctl publish custom.commit --id \"$(git rev-parse HEAD)\""
}

// Run implements the command.
func (p publishCommand) Run(ctx context.Context, c *connection, t terminal) error {
	data := []byte(p.Data)
	if p.Data == "" || p.Data == "-" {
		text, err := io.ReadAll(io.LimitReader(t.in, events.MaxBody+1))
		if err != nil {
			return fmt.Errorf("the standard input: %w", err)
		}
		data = text
	}
	ev := events.Event{ID: p.ID, Type: p.Type, Subject: p.Subject, Data: data, DataContentType: events.ContentTypeText}
	if events.CheckJSON(data) == nil {
		ev.DataContentType, ev.DataSchema = events.ContentTypeJSON, events.SchemaURI(p.Type)
	}
	if err := events.CheckPayload(p.Type, data); err != nil {
		return fmt.Errorf("the payload does not fit %s (see docs/protocol.md): %w", p.Type, err)
	}
	if len(data) == 0 {
		ev.DataContentType = ""
		if _, known := events.FindType(p.Type); known {
			return errors.New("the payload is empty")
		}
	}
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	done, err := cl.PublishEvent(ctx, ev)
	if err != nil {
		return hint(err)
	}
	if c.JSON {
		return printJSON(t, map[string]any{"id": done.ID, "sequence": done.Sequence, "duplicate": done.Duplicate})
	}
	word := "stored"
	if done.Duplicate {
		word = "was stored before"
	}
	_, err = fmt.Fprintf(t.out, "%s %s as %s (sequence %d)\n", p.Type, word, done.ID, done.Sequence)
	return err
}
