package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/version"
)

// Source is where the settings of a unit come from that runs beside others in one process.
type Source struct {
	Lookup   func(name string) (string, bool) // the environment; nil is an empty one
	File     string                           // the configuration file; if empty, [config.FileEnv] names it
	Defaults map[string]string                // by name of the flag: what takes the place of the unit's own defaults
	Known    config.Known                     // the keys that may stand in the file for others (see [Keys])
}

// Instance is a unit with its settings.
type Instance struct {
	unit     Unit
	settings settings
}

// Load reads and checks the settings of the unit, its own and the common ones, without a command line.
func (u Unit) Load(s Source) (Instance, error) {
	settings, _, err := u.load(config.Options{
		Version: version.String(), Lookup: s.Lookup, File: s.File, Defaults: s.Defaults, Known: s.Known,
	})
	if err != nil {
		return Instance{}, fmt.Errorf("%s: %w", u.Name, err)
	}
	return Instance{unit: u, settings: settings}, nil
}

// Unit returns what this is an instance of.
func (i Instance) Unit() Unit { return i.unit }

// DrainTimeout returns the setting of that name.
func (i Instance) DrainTimeout() time.Duration { return i.settings.Common.DrainTimeout }

// Run waits until the streams, consumers and buckets are there that the service needs, and the secrets that its settings refer to,
// then runs the service until ctx ends. It registers the checks "streams" and, if there are any, "secrets". Of deps only Bus is
// required; Logger should name the service. What is missing of the others is filled in: a logger and metrics that go nowhere, the
// name, the version, the drain timeout.
func (i Instance) Run(ctx context.Context, deps Deps) error {
	if err := i.complete(&deps); err != nil {
		return err
	}
	attending, done := context.WithCancel(context.WithoutCancel(ctx)) // while it drains, too
	defer done()
	if err := i.attend(attending, deps); err != nil {
		return err
	}
	refs, err := config.References(&i.settings)
	if err != nil {
		return err
	}
	if referrer, ok := i.settings.Service.(config.Referrer); ok {
		more, err := referrer.References()
		if err != nil {
			return fmt.Errorf("%s does not start: %w", i.unit.Name, err)
		}
		refs = append(refs, more...)
	}
	watcher := remote.NewWatcher(deps.Secrets, i.settings.Common.Secrets.Refresh, deps.Logger)
	secrets := newSecrets(refs, watcher, deps.Health)
	assets := newAssets(deps.Bus, i.unit.Name)
	deps.Health.Register("streams", assets.check)
	if err := assets.wait(ctx, deps.Logger); err != nil {
		return nil // to be told to stop is no failure
	}
	go deps.Emergency.Replay(attending)
	return secrets.run(ctx, deps.Bus, deps.Logger, func() error {
		runner, err := i.unit.build(i.settings.Service, deps)
		if err != nil {
			return fmt.Errorf("%s does not start: %w", i.unit.Name, err)
		}
		followHops(ctx, deps)
		deps.Logger.InfoContext(ctx, "running")
		return runner.Run(ctx)
	})
}

// complete fills in what the caller left out.
func (i Instance) complete(deps *Deps) error {
	deps.Name = i.unit.Name
	if deps.Version == "" {
		deps.Version = version.String()
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics == nil {
		deps.Metrics = prometheus.NewRegistry()
	}
	if deps.Tracer == nil {
		deps.Tracer = noop.NewTracerProvider()
	}
	if deps.Health == nil {
		deps.Health = health.NewChecks()
	}
	if deps.DrainTimeout == 0 {
		deps.DrainTimeout = i.settings.Common.DrainTimeout
	}
	i.completeControl(deps)
	if deps.Secrets != nil {
		return nil
	}
	var err error
	deps.Secrets, err = remote.New(deps.Bus, deps.Name, remote.Signer(i.settings.Common.Secrets.Signer), remote.Logger(deps.Logger))
	return err
}
