package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/demo"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/stack"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
	"github.com/neuron7x/mlsdm-integrations/internal/version"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// upCommand hands its arguments to package config, which reads them as it does for a service.
type upCommand struct {
	Args []string `arg:"" optional:"" help:"See mlsdmctl up --help."`
}

// stopMargin is what a stop may take beyond the drain.
const stopMargin = 5 * time.Second

// Run runs the stack until ctx ends.
func (c upCommand) Run(ctx context.Context, t terminal) error {
	units := services.Units()
	known, err := knownKeys(units)
	if err != nil {
		return err
	}
	var cfg services.Up
	var file string
	done, err := config.Load(&cfg, config.Options{
		Name: "mlsdmctl up", Section: "up", Summary: "Runs every service in one process on an embedded NATS server, for a laptop or a test.\n\n" +
			"Every setting of every service works as an environment variable and in the one file of --config.",
		Version: version.String(), Args: c.Args, Lookup: t.lookup, Known: known, FileRead: &file, Out: t.out,
		Defaults: map[string]string{"log-level": "warn"},
		Examples: []string{
			"mlsdmctl up --demo",
			"OPENAI_API_KEY=… WEBHOOK_URL=https://example.com/hook WEBHOOK_SECRET=… mlsdmctl up",
			"mlsdmctl up --config mlsdm.yaml --addr 127.0.0.1:0 --data ./data",
		},
	})
	if err != nil || done {
		return err
	}
	tel, err := telemetry.New(ctx, cfg.Telemetry, "up", version.String(), t.err)
	if err != nil {
		return err
	}
	defer tel.Close(context.WithoutCancel(ctx))
	if cfg.Insecure {
		fmt.Fprintf(t.err, "\n!!! --insecure: whoever reaches %s may do EVERYTHING on this bus, without a key: read and forge all\n"+
			"!!! messages, ask for every secret that may be asked for, make webhooks to anywhere. `mlsdmctl init` makes a closed bus.\n\n", cfg.Addr)
	}
	return lifecycle.Run(ctx, tel.Logger, cfg.DrainTimeout+stopMargin, func(ctx context.Context, rt *lifecycle.Runtime) error {
		return up(ctx, rt, cfg, stack.Options{
			Addr: cfg.Addr, Insecure: cfg.Insecure, DataDir: cfg.Data, AdminAddr: cfg.AdminAddr, Units: units, Logger: tel.Logger, LoggerFor: tel.LoggerFor, Tracer: tel.Tracer, CaptureContent: cfg.Telemetry.CaptureContent, Telemetry: tel,
			LevelFor: tel.Level, Memory: cfg.Memory,
			Source: service.Source{Lookup: t.lookup, File: file, Known: known},
		}, t.out)
	})
}

// up starts everything, says what runs where, and stays until it is told to stop.
func up(ctx context.Context, rt *lifecycle.Runtime, cfg services.Up, o stack.Options, out io.Writer) error {
	var show *demo.Demo
	if cfg.Demo {
		if cfg.Data == services.DefaultData { // a story that is told anew each time must not meet yesterday's end of it
			dir, err := os.MkdirTemp("", "mlsdm-demo-")
			if err != nil {
				return fmt.Errorf("a folder for the demo: %w", err)
			}
			rt.OnStop("demo folder", func(context.Context) error { return os.RemoveAll(dir) })
			o.DataDir = dir
		}
		var err error
		if show, err = demo.New(ctx, out); err != nil {
			return err
		}
		rt.OnStop("demo", show.Close)
		o.Source.Lookup = show.Lookup(o.Source.Lookup)
	}
	s, err := stack.Start(ctx, o)
	if err != nil {
		return err
	}
	rt.OnStop("stack", s.Stop)
	readyCtx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	switch err := s.Ready(readyCtx); {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	printBanner(out, s, o.DataDir, cfg.Demo)
	if show != nil {
		rt.Go("demo", func(ctx context.Context) error { return show.Play(ctx, s) })
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nstopping …")
		return nil
	case err := <-s.Failed():
		return err
	}
}

// knownKeys are the keys that may stand in the one file.
func knownKeys(units []service.Unit) (config.Known, error) {
	known, err := service.Keys(units...)
	if err != nil {
		return nil, err
	}
	fields, err := config.Fields(&services.Up{})
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		known["up"] = append(known["up"], f.Name)
	}
	return known, nil
}
