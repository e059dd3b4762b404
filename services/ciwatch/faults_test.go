package ciwatch_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

// These are the faults of the first ciwatch, which was written in Python: each has a test that is called after it.

// TestTheSameRunIsNotCountedAtEachPoll polls a run that failed until it would be three failures.
func TestTheSameRunIsNotCountedAtEachPoll(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(t, s.config())
	s.github.AddRun("failure")
	for range 5 {
		require.Equal(t, 1, s.check(t).ConsecutiveFailures)
	}
	require.Equal(t, "ci.run_failed", s.types(t))
	require.InDelta(t, 1, s.metric(t, "mlsdm_ci_runs_total"), 0)
}

// TestASlashIsNotEncoded: owner and repository are two segments of the path, and nothing else can be.
func TestASlashIsNotEncoded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(t, s.config())
	s.check(t)
	require.True(t, strings.HasPrefix(s.github.LastPath(), "/repos/neuron7x/mlsdm/actions/"), s.github.LastPath())
	for _, name := range []string{
		"neuron7x%2Fmlsdm", "neuron7x/mlsdm%2F..", "neuron7x/..", "../mlsdm", "neuron7x/../mlsdm", "neuron7x/mlsdm/..", "neuron7x/mlsdm?x=y",
		"neuron7x/mlsdm#x", "neuron7x//mlsdm", "neuron7x\\mlsdm", "neuron7x/mls dm", "neuron7x/mlsdm\r\nHost: example.org",
	} {
		cfg := s.config()
		cfg.Repositories = []string{name}
		_, err := ciwatch.New(cfg, service.Deps{})
		require.Error(t, err, name)
	}
}

// TestTheThresholdIsNotCrossedLate: the third failure in a row is the alarm, neither the fourth nor the second.
func TestTheThresholdIsNotCrossedLate(t *testing.T) {
	t.Parallel()
	for name, threshold := range map[string]int{"one": 1, "two": 2, "three": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			cfg := s.config()
			cfg.FailureThreshold = threshold
			s.run(t, cfg)
			for n := 1; n <= threshold; n++ {
				require.NotContains(t, s.types(t), "ci.degraded")
				s.github.AddRun("failure")
				require.Equal(t, n == threshold, s.check(t).Health == events.CIDegradedHealth)
			}
			require.Equal(t, 1, strings.Count(s.types(t), "ci.degraded"))
		})
	}
}

// TestTheCooldownIsStartedByARecovery: the second alarm, within the cooldown of the first one's recovery, is recovered by nobody, and one after
// it is.
func TestTheCooldownIsStartedByARecovery(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.FailureThreshold, cfg.RecoveryCooldown = 1, time.Hour
	_, stop := s.run(t, cfg)
	s.github.AddRun("failure")
	s.check(t)
	s.github.AddRun("success")
	s.check(t)
	s.github.AddRun("failure")
	s.check(t)
	require.Equal(t, 2, strings.Count(s.types(t), "ci.degraded"))
	require.Equal(t, 1, strings.Count(s.types(t), "system.recovery_triggered"))
	s.github.AddRun("success")
	s.check(t)
	stop()
	cfg.RecoveryCooldown = time.Nanosecond
	s.run(t, cfg)
	s.github.AddRun("failure")
	s.check(t)
	require.Equal(t, 2, strings.Count(s.types(t), "system.recovery_triggered"))
}

// TestTheCooldownOutlivesARestart: it is in the bucket.
func TestTheCooldownOutlivesARestart(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.FailureThreshold, cfg.RecoveryCooldown = 1, time.Hour
	_, stop := s.run(t, cfg)
	s.github.AddRun("failure")
	s.check(t)
	s.github.AddRun("success")
	s.check(t)
	stop()
	s.run(t, cfg)
	s.github.AddRun("failure")
	s.check(t)
	require.Equal(t, 2, strings.Count(s.types(t), "ci.degraded"))
	require.Equal(t, 1, strings.Count(s.types(t), "system.recovery_triggered"))
}

// TestAFailureOfAnotherBranchIsNotCounted: each branch has its streak.
func TestAFailureOfAnotherBranchIsNotCounted(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.Branch = "*"
	s.run(t, cfg)
	for _, branch := range []string{"main", "develop", "main", "release-1"} {
		s.github.AddRun("failure", func(r *fakegithub.Run) { r.Branch = branch })
	}
	status, err := s.ask(t, "", events.OpCICheck, "{}")
	require.NoError(t, err)
	require.Len(t, status.Workflows, 3)
	for _, w := range status.Workflows {
		require.Equal(t, map[string]int{"main": 2, "develop": 1, "release-1": 1}[w.Branch], w.ConsecutiveFailures, w.Branch)
	}
	require.NotContains(t, s.types(t), "ci.degraded")
}

func TestTwoPassesClose(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.FailureThreshold, cfg.PassesToClose = 1, 2
	s.run(t, cfg)
	for _, step := range []struct{ conclusion, health string }{
		{"failure", events.CIDegradedHealth},
		{"success", events.CIRecovering},
		{"failure", events.CIDegradedHealth},
		{"success", events.CIRecovering},
		{"cancelled", events.CIRecovering},
		{"success", events.CIHealthy},
	} {
		s.github.AddRun(step.conclusion)
		require.Equal(t, step.health, s.check(t).Health, step.conclusion)
	}
	require.Equal(t, "ci.run_failed ci.degraded system.recovery_triggered ci.recovered", s.types(t))
}

// source is a token that is another one from time to time.
type source struct{ text atomic.Pointer[string] }

// Current implements [secret.Source].
func (s *source) Current() string { return *s.text.Load() }

// Renew implements [secret.Source]: it is known as soon as it is another one.
func (s *source) Renew(context.Context, string) {}

// TestTheTokenIsReplaced: the watch goes on with the new one, and no error tells either.
func TestTheTokenIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	tokens := &source{}
	old, fresh := token, "ghp_fresh31337"
	tokens.text.Store(&old)
	cfg := s.config()
	cfg.Token = secret.Live(tokens)
	s.run(t, cfg)
	s.github.AddRun("failure")
	s.check(t)
	require.True(t, s.github.RotateToken(old, fresh))
	s.github.AddRun("failure")
	_, err := s.ask(t, "", events.OpCICheck, "{}")
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
	require.NotContains(t, err.Error(), "31337")
	tokens.text.Store(&fresh)
	require.Eventually(t, func() bool { // one that was refused is left alone for a moment
		status, err := s.ask(t, "", events.OpCICheck, "{}")
		return err == nil && status.Workflows[0].ConsecutiveFailures == 2
	}, 30*time.Second, 100*time.Millisecond)
}
