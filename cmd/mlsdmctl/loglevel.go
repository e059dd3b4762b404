package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// everyService stands for all services on the command line.
const everyService = "all"

// logLevelCommand shows and changes what services log.
type logLevelCommand struct {
	Service  string `arg:"" optional:"" enum:",all,ciwatch,embedder,generator,dispatcher,secretd" default:"" help:"Which service; all, or nothing, for all of them."`
	Level    string `arg:"" optional:"" enum:",debug,info,warn,error" default:"" help:"Least level that it logs from now on: debug, info, warn or error. Without one, what it logs is shown."`
	Instance string `placeholder:"ID" help:"Only this replica, by the name that is shown."`
}

// Help says how long it lasts, with examples.
func (logLevelCommand) Help() string {
	return "Each replica answers for itself, and logs the new level until it ends; then that of its settings (MLSDM_LOG_LEVEL).\n\n" +
		"  mlsdmctl log-level                        what all services log\n" +
		"  mlsdmctl log-level dispatcher debug\n" +
		"  mlsdmctl log-level dispatcher debug --instance node-1-5f3a9c01\n" +
		"  mlsdmctl log-level all info --json"
}

// Run implements the command.
func (l logLevelCommand) Run(ctx context.Context, c *connection, t terminal) error {
	services := []string{l.Service}
	if l.Service == "" || l.Service == everyService {
		services = allServices()
	}
	req := events.LogLevelRequest{Level: l.Level, Instance: l.Instance}
	if err := req.Validate(); err != nil {
		return &usageError{err}
	}
	var found []events.LogLevelReply
	err := withBus(ctx, c, t, func(ctx context.Context, b *bus.Bus) (err error) {
		found, err = levels(ctx, b, services, req)
		if isSilence(err) && l.Instance != "" {
			return fmt.Errorf("no replica %s answers: `mlsdmctl log-level` lists those that there are", plain(l.Instance, maxInstance))
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, found)
	}
	tb := &table{titles: []string{"SERVICE", "INSTANCE", "LEVEL", "BEFORE"}}
	for _, r := range found {
		before := ""
		if r.Before != r.Level {
			before = r.Before
		}
		tb.row(plainCells(r.Service, r.Instance, r.Level, before)...)
	}
	if err := tb.write(t.out, false); err != nil {
		return err
	}
	for _, r := range found {
		if l.Level != "" && r.Level != l.Level {
			return errors.New("a replica of " + plain(r.Service, maxInstance) + " has not changed what it logs")
		}
	}
	return nil
}
