package ciwatch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestWhatTheCooldownHeldBackIsDoneAfterIt: no new run is needed for it.
func TestWhatTheCooldownHeldBackIsDoneAfterIt(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.FailureThreshold, cfg.RecoveryCooldown = 1, 3*time.Second
	s.run(t, cfg)
	triggered := func() int { return strings.Count(s.types(t), events.TypeSystemRecoveryTriggered) }
	s.github.AddRun("failure")
	require.Equal(t, events.CIDegradedHealth, s.check(t).Health)
	first := time.Now()
	require.Equal(t, 1, triggered())
	s.github.AddRun("success")
	require.Equal(t, events.CIHealthy, s.check(t).Health)
	s.github.AddRun("failure")
	require.Equal(t, events.CIDegradedHealth, s.check(t).Health)
	require.Eventually(t, func() bool { return triggered() == 2 }, 30*time.Second, 20*time.Millisecond)
	all := s.events(t)
	require.GreaterOrEqual(t, all[len(all)-1].Time.Sub(first), 2*time.Second, "not before the cooldown was over")
}
