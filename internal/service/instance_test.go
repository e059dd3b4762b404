package service_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// otherConfig is the configuration of another service in the same process.
type otherConfig struct {
	Model string `name:"default-model" env:"DEFAULT_MODEL" default:"local/echo" help:"The model."`
}

// Validate refuses one value.
func (c otherConfig) Validate() error {
	if c.Model == "none" {
		return errors.New("default-model: none is not a model")
	}
	return nil
}

type idle struct{}

// Run does nothing until it is over.
func (idle) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func otherUnit() service.Unit {
	return service.Define(events.ServiceGenerator, "Another example.", func(otherConfig, service.Deps) (idle, error) { return idle{}, nil })
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mlsdm.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// Two units in one process, on one bus, with one file.
func TestInstancesInOneProcess(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Connect(t, "up")
	e := newExample()
	close(e.finish)
	units := []service.Unit{e.unit(), otherUnit()}
	known, err := service.Keys(units...)
	require.NoError(t, err)
	file := write(t, "greeting: from the file\ndefault-model: m\nlog-level: debug\nembedder: {drain-timeout: 7s}\ngenerator: {nats: {user: u}}")

	checks, metrics := health.NewChecks(), prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, len(units))
	for _, u := range units {
		instance, err := u.Load(service.Source{
			File: file, Known: known,
			Lookup: func(name string) (string, bool) {
				return map[string]string{"EXAMPLE_KEY": "k"}[name], name == "EXAMPLE_KEY"
			},
		})
		require.NoError(t, err)
		require.Equal(t, u.Name, instance.Unit().Name)
		go func() {
			done <- instance.Run(ctx, service.Deps{Bus: b, Health: checks.Sub(u.Name), Metrics: metrics})
		}()
	}
	await(t, "Run", e.running)
	require.Equal(t, "from the file", e.cfg.Greeting)
	require.Equal(t, "k", e.cfg.Key.Reveal())
	require.Equal(t, "7s", e.deps.DrainTimeout.String())
	require.NotNil(t, e.deps.Logger)
	require.NotNil(t, e.deps.Tracer)
	require.Contains(t, checks.Run(t.Context()).Checks, "embedder/streams")

	cancel()
	for range units {
		require.NoError(t, <-done)
	}
	require.NoError(t, b.Connected(), "the bus is not theirs to close")
}

func TestLoadDefaultsOfTheProcess(t *testing.T) {
	t.Parallel()
	e := newExample()
	instance, err := e.unit().Load(service.Source{Defaults: map[string]string{"greeting": "up", "drain-timeout": "3s"}})
	require.NoError(t, err)
	require.Equal(t, "3s", instance.DrainTimeout().String())

	_, err = e.unit().Load(service.Source{Defaults: map[string]string{"greting": "up"}})
	require.ErrorContains(t, err, "greting")
}

func TestLoadErrorsNameTheService(t *testing.T) {
	t.Parallel()
	_, err := otherUnit().Load(service.Source{File: write(t, "default-model: none")})
	require.EqualError(t, err, "generator: default-model: none is not a model")
	var configErr *config.Error
	require.ErrorAs(t, err, &configErr)
	require.Equal(t, 2, configErr.ExitCode())
}

func TestRunServiceThatCannotBeMade(t *testing.T) {
	t.Parallel()
	u := service.Define(events.ServiceSecretd, "Fails.", func(otherConfig, service.Deps) (idle, error) { return idle{}, errors.New("no provider") })
	instance, err := u.Load(service.Source{})
	require.NoError(t, err)
	b := bustest.Start(t).Connect(t, "up")
	require.EqualError(t, instance.Run(t.Context(), service.Deps{Bus: b}), "secretd does not start: no provider")
}
