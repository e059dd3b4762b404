package provision_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestApplyMakesWhatIsMissingAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Bare()).Connect(t, "test")
	missing, err := b.Missing(t.Context(), events.ServiceDispatcher)
	require.NoError(t, err)
	require.Contains(t, missing, "stream MLSDM_DELIVERIES")
	require.Contains(t, missing, "consumer dispatcher-router")
	require.Contains(t, missing, "KV bucket mlsdm_endpoints")

	steps, err := provision.Plan(t.Context(), b, provision.Default())
	require.NoError(t, err)
	require.Len(t, steps, len(events.Streams())+len(events.Consumers())+len(events.Buckets())+len(events.ObjectStores()))
	for _, s := range steps {
		require.Equal(t, provision.ActionCreate, s.Action, s.Name)
	}
	require.NoError(t, provision.Apply(t.Context(), steps, nil))
	missing, err = b.Missing(t.Context(), events.ServiceDispatcher)
	require.NoError(t, err)
	require.Empty(t, missing)

	again, err := provision.Plan(t.Context(), b, provision.Default())
	require.NoError(t, err)
	for _, s := range again {
		require.Equal(t, provision.ActionKeep, s.Action, "%s: %v", s.Name, s.Changes)
	}
}

func TestPlanShowsTheDifference(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	cfg := provision.Default()
	cfg.EventsMaxAge = time.Hour
	steps, err := provision.Plan(t.Context(), b, cfg)
	require.NoError(t, err)
	require.Equal(t, "MLSDM_EVENTS", steps[0].Name)
	require.Equal(t, provision.ActionUpdate, steps[0].Action)
	require.Equal(t, []string{"MaxAge: 168h0m0s -> 1h0m0s"}, steps[0].Changes)
	require.NoError(t, provision.Apply(t.Context(), steps, nil))
	spec, found, err := b.Stream(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, time.Hour, spec.MaxAge)
}

func TestApplyNamesWhatJetStreamRefuses(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	cfg := provision.Default()
	cfg.Storage = "memory" // a stream cannot change its storage
	steps, err := provision.Plan(t.Context(), b, cfg)
	require.NoError(t, err)
	err = provision.Apply(t.Context(), steps, nil)
	require.ErrorContains(t, err, "MLSDM_EVENTS")
	require.ErrorContains(t, err, "Storage: file -> memory")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, provision.Default().Validate())
	for _, change := range []func(*provision.Config){
		func(c *provision.Config) { c.Replicas = 2 }, func(c *provision.Config) { c.Storage = "tape" },
		func(c *provision.Config) { c.DeadMaxAge = 0 }, func(c *provision.Config) { c.EventsMaxBytes = -1 },
	} {
		cfg := provision.Default()
		change(&cfg)
		require.Error(t, cfg.Validate())
	}
}
