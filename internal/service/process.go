package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/control"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
	"github.com/neuron7x/mlsdm-integrations/internal/version"
)

// stopMargin is what a stop may take beyond the drain, to close the bus and to send traces.
const stopMargin = 5 * time.Second

// Process is what the operating system gives a program.
type Process struct {
	Args   []string // without the program's name
	Lookup func(name string) (string, bool)
	Stdout io.Writer
	Stderr io.Writer
}

// Execute is what the program does, from its settings to its exit status: it runs the unit until ctx ends.
func (u Unit) Execute(ctx context.Context, p Process) int {
	s, done, err := u.load(config.Options{
		Version: version.String(), Args: p.Args, Lookup: p.Lookup, Known: known(), Out: p.Stdout,
	})
	switch {
	case err != nil:
		return u.complain(p, err)
	case done:
		return 0
	case s.Health && !s.Common.hasAdmin():
		return u.complain(p, errors.New("admin-addr is off: there is nothing to ask"))
	case s.Health:
		if err := health.Probe(ctx, s.Common.AdminAddr); err != nil {
			return u.complain(p, err)
		}
		return 0
	}
	tel, err := telemetry.New(ctx, s.Common.Telemetry, u.Name, version.String(), p.Stderr)
	if err != nil {
		return u.complain(p, err)
	}
	if err := u.run(ctx, s, tel); err != nil {
		tel.Logger.ErrorContext(ctx, "stopped with an error", "err", err)
		return lifecycle.ExitCode(err)
	}
	tel.Logger.InfoContext(ctx, "stopped")
	return 0
}

// complain tells the person at the terminal what is wrong.
func (u Unit) complain(p Process, err error) int {
	code := lifecycle.ExitCode(err)
	fmt.Fprintf(p.Stderr, "%s: %v\n", u.Name, err)
	if code == lifecycle.ExitUsage {
		fmt.Fprintf(p.Stderr, "%s --help shows every setting.\n", u.Name)
	}
	return code
}

// run starts everything and stops it again when ctx ends.
func (u Unit) run(ctx context.Context, s settings, tel *telemetry.Telemetry) error {
	// The end of ctx reaches the service through here, so that it is not ready before it stops working.
	checks := health.NewChecks()
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() {
		checks.Stop()
		stop(context.Cause(ctx))
	})()
	return lifecycle.Run(working, tel.Logger, s.Common.DrainTimeout+stopMargin, func(ctx context.Context, rt *lifecycle.Runtime) error {
		context.AfterFunc(ctx, checks.Stop) // for the ends that do not come from outside
		registry, err := NewRegistry(u.Name)
		if err != nil {
			return err
		}
		if err := tel.Register(registry); err != nil {
			return err
		}
		if err := tel.ExportMetrics(ctx, registry); err != nil {
			return err
		}
		if err := serveAdmin(ctx, rt, s.Common, tel.Logger, health.Handler(checks, tel.Metrics(registry))); err != nil {
			return err
		}
		rt.OnStop("telemetry", func(ctx context.Context) error {
			tel.Close(ctx)
			return nil
		})
		metrics := prometheus.WrapRegistererWith(prometheus.Labels{"service": u.Name}, registry)
		b, err := u.connect(ctx, rt, s.Common.Bus, checks, bus.Options{Logger: tel.Logger, Metrics: metrics, Tracer: tel.Tracer})
		if b == nil || err != nil {
			return err
		}
		tel.Logger.InfoContext(ctx, "connected", "version", version.String(), "nats_url", b.ServerURL())
		ended := make(chan error, 1)
		line := NewLine(b, u.Name, NewInstance(), s.Common.SpoolDir, tel.Logger, ended)
		parts := new(memory.Parts)
		HoldMemory(parts, b)
		rt.Go("emergency", func(ctx context.Context) error { return await(ctx, ended) })
		rt.Go("memory", control.Memory{Config: s.Common.Memory, Parts: parts, Line: line, Metrics: metrics, Log: tel.Logger}.Run)
		return Instance{unit: u, settings: s}.Run(ctx, Deps{
			Bus: b, Logger: tel.Logger, Metrics: metrics, Tracer: tel.Tracer, Health: checks, CaptureContent: s.Common.Telemetry.CaptureContent,
			Instance: line.Instance, Level: tel.Level(u.Name), Memory: parts, Emergency: line,
		})
	})
}

// connect connects to the bus and registers its part in health and in the stop. It returns nil for the bus, and no
// error, if it was told to stop before the bus was there.
func (u Unit) connect(ctx context.Context, rt *lifecycle.Runtime, cfg bus.Config, checks *health.Checks, o bus.Options) (*bus.Bus, error) {
	var connected atomic.Pointer[bus.Bus]
	checks.Register("bus", func(context.Context) error {
		if b := connected.Load(); b != nil {
			return b.Connected()
		}
		return errors.New("not connected to nats yet")
	})
	b, err := bus.Connect(ctx, cfg, u.Name, o)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil //nolint:nilerr // to be told to stop is no failure
		}
		return nil, err
	}
	connected.Store(b)
	rt.OnStop("bus", b.Close)
	rt.Go("bus", func(ctx context.Context) error {
		select {
		case <-b.Closed():
			return errors.New("the server closed the connection for good")
		case <-ctx.Done():
			return nil
		}
	})
	return b, nil
}

// serveAdmin starts the admin listener, if there is to be one.
func serveAdmin(ctx context.Context, rt *lifecycle.Runtime, c Common, log *slog.Logger, handler http.Handler) error {
	if !c.hasAdmin() {
		return nil
	}
	server, err := health.Listen(ctx, c.AdminAddr, handler)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "the admin listener is open", "admin_addr", server.Addr())
	rt.OnStop("admin listener", server.Shutdown)
	rt.Go("admin listener", func(context.Context) error { return server.Serve() })
	return nil
}
