// Package service is what every service process is made of: settings, logs, traces, health, the bus, and a clean stop.
//
// A service is a package with a Config, a New and a Run; [Define] makes a [Unit] of it, and [Unit.Main] is all of its
// main function:
//
//	func main() { service.Main("embedder", "Turns texts into vectors.", embedder.New) }
//
// On the way down a process is first not ready; then the service's context ends, it takes in nothing new and Run
// returns when what it had is done; then the bus is drained and closed, traces are sent, and at last the admin listener
// closes, so that until the end somebody can see what goes on.
//
// A setting that refers to a secret, such as openai-api-key: secret:openai_api_key, has its content before the service is made:
// until then the process waits and is not ready. While the service runs, the content follows what it refers to.
//
// Several units can also run in one process, on one bus: see [Unit.Load] and [Instance.Run].
package service

import (
	"context"
	"fmt"
	"io"
	"log" //nolint:depguard // to silence it
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
)

// Deps are what a service is given. No field is nil.
type Deps struct {
	Name         string // of the service
	Version      string // of the build
	Bus          *bus.Bus
	Logger       *slog.Logger
	Metrics      prometheus.Registerer // labels what is registered with the service
	Tracer       trace.TracerProvider
	Health       *health.Checks
	Secrets      *remote.Client // asks secretd, under the service's name
	DrainTimeout time.Duration  // how long work that has begun may go on after Run's context has ended

	// Instance names this replica, and Level is what its logger logs; see [NewInstance].
	Instance string
	Level    *slog.LevelVar
	// Memory is where the parts of the service say what they hold, and what they can do without.
	Memory *memory.Parts
	// Emergency is the way out of the process: it tells why, and ends it.
	Emergency *emergency.Line
	// Others are the other services of the same process.
	Others []string

	// CaptureContent says that the operator wants what people and models write in the traces (telemetry.Config): without it no
	// service puts any of that into an attribute.
	CaptureContent bool
}

// Runner is a service that is ready to run.
type Runner interface {
	// Run works until ctx ends, then takes in nothing new, finishes what it has, and returns nil.
	Run(ctx context.Context) error
}

// Unit is a service that can be configured and run. Make one with [Define].
type Unit struct {
	Name     string
	Summary  string   // one line, what it does
	Examples []string // command lines for --help

	newConfig func() any // a pointer to an empty Config
	build     func(cfg any, deps Deps) (Runner, error)
}

// Define makes a unit of a service. C is its configuration, a struct for package config; build is the service's New,
// which checks what it is given and does nothing that takes long.
func Define[C any, R Runner](name, summary string, build func(C, Deps) (R, error)) Unit {
	return Unit{
		Name: name, Summary: summary,
		Examples: []string{
			name,
			name + " --nats-url nats://bus:4222 --log-level debug",
			name + " --config mlsdm.yaml --check-config",
		},
		newConfig: func() any { return new(C) },
		build: func(cfg any, deps Deps) (Runner, error) {
			c, ok := cfg.(*C)
			if !ok {
				return nil, fmt.Errorf("%s is configured by %T, not by %T", name, c, cfg)
			}
			return build(*c, deps)
		},
	}
}

// Main is the whole main function of a service. It does not return.
func Main[C any, R Runner](name, summary string, build func(C, Deps) (R, error)) {
	Define(name, summary, build).Main()
}

// Main is the whole main function of the unit. It does not return.
func (u Unit) Main() {
	log.SetOutput(io.Discard) // net/http quotes there what servers send unasked; what we have to say goes to slog
	ctx, stop := lifecycle.WithSignals(context.Background(), func() { os.Exit(lifecycle.ExitKilled) })
	code := u.Execute(ctx, Process{Args: os.Args[1:], Lookup: os.LookupEnv, Stdout: os.Stdout, Stderr: os.Stderr})
	stop()
	os.Exit(code)
}

// Fields describes the settings that are the unit's own; [CommonFields] describes the others.
func (u Unit) Fields() ([]config.Field, error) { return config.Fields(u.newConfig()) }
