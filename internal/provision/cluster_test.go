package provision_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// The catalogue goes from one copy to three and back, while events are published and consumed. Each that was acked is stored once.
func TestMigrationUnderTraffic(t *testing.T) {
	t.Parallel()
	b := connect(t, bustest.StartCluster(t, 3))
	migrate(t, b, 1)

	ctx, stop := context.WithCancel(t.Context())
	var acked atomic.Int64
	done := make(chan error, 1)
	go func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			m := bus.Msg{Subject: b.Subjects().Event("custom.n"), ID: fmt.Sprint("n-", n), Body: []byte(`{}`)}
			for {
				ack, err := b.Publish(t.Context(), m)
				if err == nil {
					if !ack.Duplicate && ack.Sequence != uint64(n) {
						done <- fmt.Errorf("message %d was stored as %d", n, ack.Sequence)
						return
					}
					break
				}
				if t.Context().Err() != nil {
					done <- err
					return
				}
			}
			acked.Store(n)
		}
		done <- nil
	}()
	goesOn := func() {
		until := acked.Load() + 100
		require.Eventually(t, func() bool { return acked.Load() >= until }, time.Minute, 10*time.Millisecond, "publishing goes on")
	}
	goesOn()
	migrate(t, b, 3)
	goesOn()
	migrate(t, b, 1)
	goesOn()
	stop()
	require.NoError(t, <-done)
	stored, err := b.StreamMessages(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err)
	require.EqualValues(t, acked.Load(), stored, "each once")
}

// migrate makes the catalogue have so many copies, and waits until it has.
func migrate(t *testing.T, b *bus.Bus, replicas int) {
	t.Helper()
	cfg := provision.Default()
	cfg.Replicas = replicas
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	steps, err := provision.Plan(ctx, b, cfg)
	require.NoError(t, err)
	require.NoError(t, provision.Apply(ctx, steps, nil))
	var last provision.Progress
	require.NoError(t, provision.Settle(ctx, b, func(p provision.Progress) {
		require.Positive(t, p.Total)
		last = p
	}))
	require.Equal(t, last.Total, last.Done)
	for _, s := range events.Streams() {
		c, err := b.Copies(ctx, b.Subjects().StreamName(s.Name))
		require.NoError(t, err)
		require.Equal(t, c.Want, replicas, s.Name) // not Current: a copy is a moment behind whenever something is stored
	}
	again, err := provision.Plan(ctx, b, cfg)
	require.NoError(t, err)
	for _, s := range again {
		require.Equal(t, provision.ActionKeep, s.Action, "%s %s: %v", s.Kind, s.Name, s.Changes)
	}
}

func TestMoreCopiesThanServersAreRefused(t *testing.T) {
	t.Parallel()
	b := connect(t, bustest.StartCluster(t, 3))
	migrate(t, b, 1)
	cfg := provision.Default()
	cfg.Replicas = 5
	steps, err := provision.Plan(t.Context(), b, cfg)
	require.NoError(t, err)
	err = provision.Apply(t.Context(), steps, nil)
	require.ErrorContains(t, err, "Replicas: 1 -> 5")
	require.ErrorContains(t, err, "not enough servers")
	c, err := b.Copies(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err)
	require.Equal(t, 1, c.Want, "nothing was changed")
}

// connect connects to a cluster until the test ends.
func connect(t *testing.T, c *bustest.Cluster) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), c.Config(), "provision", bus.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.WithoutCancel(t.Context()))) })
	return b
}
