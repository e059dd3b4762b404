package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// shutdownCommand shuts a service down.
type shutdownCommand struct {
	Service  string `arg:"" enum:"ciwatch,embedder,generator,dispatcher,secretd" help:"Which service."`
	Reason   string `required:"" placeholder:"TEXT" help:"Why, for people: it stands in the event."`
	Instance string `placeholder:"ID" help:"Only this replica, by the name that mlsdmctl log-level shows."`
	Yes      bool   `short:"y" help:"Do not ask."`
}

// Help says what happens, with examples.
func (shutdownCommand) Help() string {
	return fmt.Sprintf("Each replica publishes system.emergency_shutdown with the reason, takes in nothing new, finishes what it has begun, and ends with\n"+
		"status %d. It answers when the stream has the event, or when it lies in its spool and the next start will publish it. Nothing is lost;\n"+
		"a supervisor that restarts the process does so. In `mlsdmctl up` all services are one process: all of them end.\n\n"+
		"  mlsdmctl shutdown embedder --reason 'the disk of node 3 is failing'\n"+
		"  mlsdmctl shutdown dispatcher --instance node-3-5f3a9c01 --reason 'node 3 is taken out' --yes\n"+
		"  mlsdmctl shutdown generator --reason 'prices have changed' --yes --json", lifecycle.ExitEmergency)
}

// errNotShutDown ends what was not confirmed.
var errNotShutDown = errors.New("nothing was shut down: the question was not answered with y; --yes does not ask")

// shutdownPatience is how long a replica may take to answer: it gives the stream some seconds to take the event.
const shutdownPatience = 20 * time.Second

// Run implements the command.
func (s shutdownCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if err := (events.ShutdownRequest{Reason: strings.TrimSpace(s.Reason)}).Validate(); err != nil {
		return &usageError{err}
	}
	if !s.Yes && !interactive(t.in) {
		return &usageError{errors.New("nobody can be asked, as the standard input is no terminal: say --yes")}
	}
	replies := []events.ShutdownReply{}
	var failed error
	err := withBus(ctx, c, t, func(ctx context.Context, b *bus.Bus) error {
		names, err := replicas(ctx, b, s.Service, s.Instance)
		if err != nil {
			return err
		}
		if !s.Yes {
			which := plain(strings.Join(names, ", "), maxSentence)
			if err := confirm(ctx, t, fmt.Sprintf("Shut down %s (%s)?", s.Service, which), errNotShutDown); err != nil {
				return err
			}
		}
		replies, failed = s.shutDown(ctx, b, names)
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(t, replies)
	} else {
		err = printShutdown(t, replies)
	}
	return errors.Join(err, failed)
}

// shutDown tells each replica by its name, and returns their answers.
func (s shutdownCommand) shutDown(ctx context.Context, b *bus.Bus, names []string) ([]events.ShutdownReply, error) {
	type answer struct {
		reply events.ShutdownReply
		err   error
	}
	answers := make([]chan answer, len(names))
	for i, name := range names {
		answers[i] = make(chan answer, 1)
		go func() {
			var got answer
			got.reply, got.err = tellShutdown(ctx, b, s.Service, events.ShutdownRequest{Reason: strings.TrimSpace(s.Reason), Instance: name})
			answers[i] <- got
		}()
	}
	replies := []events.ShutdownReply{}
	var errs []error
	for i, name := range names {
		got := <-answers[i]
		if got.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", plain(name, maxInstance), got.err))
			continue
		}
		replies = append(replies, got.reply)
	}
	return replies, errors.Join(errs...)
}

// tellShutdown tells one replica.
func tellShutdown(ctx context.Context, b *bus.Bus, service string, req events.ShutdownRequest) (reply events.ShutdownReply, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return reply, err
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownPatience)
	defer cancel()
	got, err := b.Request(ctx, bus.Msg{Subject: b.Subjects().Control(service, events.ControlShutdown), Body: body})
	if err != nil {
		return reply, err
	}
	return reply, readReply(got, &reply)
}

// printShutdown says what becomes of each replica.
func printShutdown(t terminal, replies []events.ShutdownReply) error {
	for _, r := range replies {
		where := "its event is on the stream"
		if !r.Stored {
			where = "the stream does not take its event, which its next start publishes"
		}
		line := fmt.Sprintf("%s (%s) goes down; %s: %s", r.Service, r.Instance, where, r.EventID)
		if len(r.Others) > 0 {
			line += "; with it, in the same process: " + strings.Join(r.Others, ", ")
		}
		if _, err := fmt.Fprintln(t.out, plain(line, maxReplicaLine)); err != nil {
			return err
		}
	}
	return nil
}

// maxReplicaLine is the longest line about a replica, in characters.
const maxReplicaLine = 500
