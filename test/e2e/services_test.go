package e2e_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// fleet is every service, at work in the test's own process, so that the race detector watches them.
type fleet struct {
	user

	checks *health.Checks
	names  []string
	to     *receiver
}

// startFleet starts a server and every service, with a GitHub to watch and a receiver that wants everything custom.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	srv := bustest.Start(t)
	f := &fleet{user: connect(t, srv.URL()), checks: health.NewChecks(), to: newReceiver(t, nil)}
	gh := newGitHub(t)
	gh.AddRun("success")
	env := gh.env()
	maps.Copy(env, f.to.env("custom.>"))
	units := services.Units()
	keys, err := service.Keys(units...)
	require.NoError(t, err)
	for _, unit := range units {
		instance, err := unit.Load(service.Source{Known: keys, Lookup: func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		}})
		require.NoError(t, err)
		f.names = append(f.names, unit.Name)
		b := srv.Connect(t, unit.Name)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error, 1)
		go func() {
			done <- instance.Run(ctx, service.Deps{Bus: b, Tracer: bustest.Tracer(t), Logger: bustest.Logger(t), Health: f.checks.Sub(unit.Name)})
		}()
		t.Cleanup(func() {
			cancel()
			require.NoError(t, <-done, unit.Name)
		})
	}
	f.requireWell(t)
	return f
}

// requireWell checks that every service answers under its name, and is ready.
func (f *fleet) requireWell(t *testing.T) {
	t.Helper()
	for _, name := range f.names {
		f.ask(t, "$SRV.PING."+events.MicroName(name), "")
	}
	eventually(t, "readiness", func() bool { return f.checks.Run(t.Context()).Status != health.StatusNotReady })
	require.Equal(t, health.StatusReady, f.checks.Run(t.Context()).Status, "%s", f.checks.Run(t.Context()))
}

// serves reports whether a service is part of the fleet.
func (f *fleet) serves(name string) bool {
	return slices.Contains(f.names, name)
}
