package embedder_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder"
)

// TestWithoutTheBucket nothing is answered, and it is said what is missing and what makes it; when it is there, all is well. A stop before
// that is a stop.
func TestWithoutTheBucket(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	conn := s.Server.Conn(t)
	js, err := conn.JetStream()
	require.NoError(t, err)
	bucket := s.Bus.Subjects().BucketName(events.BucketSpaces)
	require.NoError(t, js.DeleteKeyValue(bucket))

	cfg, err := configure(t, nil)
	require.NoError(t, err)
	checks := health.NewChecks()
	e, err := embedder.New(cfg, service.Deps{
		Name: "embedder", Version: "1.0.0", Bus: s.Server.Connect(t, "embedder"), Logger: bustest.Logger(t), Health: checks,
		DrainTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	report := checks.Run(t.Context())
	require.NotEqual(t, health.StatusReady, report.Status)
	require.NotEqual(t, health.StatusDegraded, report.Status)
	require.Contains(t, report.Checks["spaces"].Message, "there is no KV bucket "+bucket+": run `mlsdmctl provision`")
	cancel()
	require.NoError(t, <-done)
}
