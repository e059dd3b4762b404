package metrics_test

import (
	"context"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
	"github.com/neuron7x/mlsdm-integrations/services"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

// patience bounds every wait.
const patience = 30 * time.Second

// models is what a generator is told so that it has everything that it can measure.
const models = `
moral_filter: {enabled: auto, scorer: request}
prices: {version: test, currency: USD, models: {"local/*": {input: 1, output: 1}}}
`

// stack is every service, with registries that remember.
type stack struct {
	*bustest.Server

	registries []*registry
}

// startStack starts every service, with all that makes one measure more than others.
func startStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{Server: bustest.Start(t)}
	redis := miniredis.RunT(t)
	const repository, token = "example/memory-engine", "a-token"
	github, err := fakegithub.New(fakegithub.Options{Repository: repository, Token: token})
	require.NoError(t, err)
	github.AddRun("success")
	api := httptest.NewServer(github)
	t.Cleanup(api.Close)
	file := filepath.Join(t.TempDir(), "generator.yaml")
	require.NoError(t, os.WriteFile(file, []byte(models), 0o600))
	env := map[string]string{
		"REDIS_HOST": redis.Host(), "REDIS_PORT": redis.Port(), "GENERATOR_CONFIG": file,
		"GITHUB_API_URL": api.URL, "GITHUB_REPOSITORY": repository, "GITHUB_TOKEN": token, "CI_WORKFLOW": "ci.yml", "CI_BRANCH": "main",
		"GITHUB_WEBHOOK_SECRET": "It's a Secret to Everybody, and long enough", "CI_WEBHOOK_ADDR": "127.0.0.1:0",
		"WEBHOOK_URL": "https://127.0.0.1:9/", "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjwA", "WEBHOOK_ALLOW_LOOPBACK": "true",
	}
	units := services.Units()
	known, err := service.Keys(units...)
	require.NoError(t, err)
	checks := health.NewChecks()
	for _, unit := range units {
		instance, err := unit.Load(service.Source{Known: known, Lookup: func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		}})
		require.NoError(t, err)
		s.run(t, instance, checks)
	}
	require.Eventually(t, func() bool { return checks.Run(t.Context()).Status != health.StatusNotReady }, patience, 20*time.Millisecond, "%s", checks.Run(t.Context()))
	return s
}

// run runs one service until the test ends.
func (s *stack) run(t *testing.T, instance service.Instance, checks *health.Checks) {
	t.Helper()
	name := instance.Unit().Name
	reg := newRegistry(name)
	s.registries = append(s.registries, reg)
	b, err := bus.Connect(t.Context(), s.Config(), name, bus.Options{Logger: bustest.Logger(t), Metrics: reg})
	require.NoError(t, err)
	process, err := service.NewRegistry(name)
	require.NoError(t, err)
	watch, err := memory.New(memory.Options{Config: memory.Config{Limit: "1GiB", Warning: 80, Critical: 92}})
	require.NoError(t, err)
	require.NoError(t, watch.Register(process))
	tel, err := telemetry.New(t.Context(), telemetry.Config{LogLevel: "info"}, name, "", io.Discard)
	require.NoError(t, err)
	require.NoError(t, tel.Register(process))
	s.registries = append(s.registries, &registry{Registry: process, service: name, collectors: []prometheus.Collector{process}})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- instance.Run(ctx, service.Deps{Bus: b, Logger: bustest.Logger(t), Metrics: reg, Health: checks.Sub(name)})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done, name)
		closing, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, b.Close(closing), name)
	})
}
