package generator_test

import (
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
)

// configure returns the settings that an environment gives.
func configure(t testing.TB, environment map[string]string) (generator.Config, error) {
	t.Helper()
	var cfg generator.Config
	_, err := config.Load(&cfg, config.Options{Name: "generator", Lookup: func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}})
	return cfg, err
}

// start runs a generator with a provider "openai" that is a server of the test.
func start(t *testing.T, environment map[string]string) (*doortest.Street, *llmtest.Server) {
	t.Helper()
	provider := llmtest.NewServer(t)
	all := map[string]string{"OPENAI_API_KEY": llmtest.Key, "OPENAI_BASE_URL": provider.URL}
	maps.Copy(all, environment)
	cfg, err := configure(t, all)
	require.NoError(t, err)
	s := doortest.Start(t)
	e, err := generator.New(cfg, service.Deps{
		Name: "generator", Version: "1.0.0", Bus: s.Server.Connect(t, "generator"), Logger: bustest.Logger(t),
		Metrics: prometheus.NewRegistry(), Health: health.NewChecks(), Tracer: bustest.Tracer(t), DrainTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	s.Run(t, "generator", e)
	return s, provider
}
