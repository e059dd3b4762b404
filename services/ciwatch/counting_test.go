package ciwatch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

func TestThreeFailuresInARow(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, stop := s.run(t, s.config())
	require.Empty(t, s.check(t).Workflow)

	s.github.AddRun("failure")
	s.github.AddRun("timed_out")
	require.Equal(t, 2, s.check(t).ConsecutiveFailures)
	require.Equal(t, "ci.run_failed ci.run_failed", s.types(t))

	require.Zero(t, s.metric(t, "mlsdm_ci_health", "degraded"))
	last := s.github.AddRun("startup_failure")
	health := s.check(t)
	require.Equal(t, events.CIDegradedHealth, health.Health)
	require.Equal(t, 3, health.ConsecutiveFailures)
	require.Equal(t, last.UpdatedAt, health.DegradedSince)
	require.Equal(t, last.ID, health.LastRun.RunID)
	const degraded = "ci.run_failed ci.run_failed ci.run_failed ci.degraded system.recovery_triggered"
	require.Equal(t, degraded, s.types(t))

	require.InDelta(t, 1, s.metric(t, "mlsdm_ci_health", "degraded"), 0)
	require.InDelta(t, 3, s.metric(t, "mlsdm_ci_consecutive_failures"), 0)
	require.InDelta(t, 3, s.metric(t, "mlsdm_ci_runs_total"), 0)

	told := s.events(t)
	payload, err := events.Decode[events.CIDegraded](told[3])
	require.NoError(t, err)
	require.Equal(t, []int64{3, 3, last.ID}, []int64{int64(payload.ConsecutiveFailures), int64(payload.Threshold), payload.RunID})
	require.Equal(t, last.UpdatedAt, told[3].Time)
	recovery, err := events.Decode[events.SystemRecoveryTriggered](told[4])
	require.NoError(t, err)
	require.Equal(t, events.TypeCIDegraded, recovery.Trigger)

	s.check(t)
	s.check(t)
	require.Equal(t, degraded, s.types(t), "polling again counts nothing twice")

	stop()
	s.run(t, s.config())
	health = s.check(t)
	require.Equal(t, 3, health.ConsecutiveFailures)
	require.Equal(t, events.CIDegradedHealth, health.Health)
	require.Equal(t, degraded, s.types(t), "nor does another process")

	s.github.AddRun("failure")
	s.github.AddRun("cancelled")
	s.github.AddRun("success")
	require.Equal(t, events.CIHealthy, s.check(t).Health)
	require.Equal(t, degraded+" ci.recovered", s.types(t))
}

func TestReruns(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(t, s.config())
	run := s.github.AddRun("failure")
	s.check(t)
	s.github.Rerun(run.ID, "failure")
	require.Equal(t, 1, s.check(t).ConsecutiveFailures, "a run that fails again is one failed run")
	s.github.Rerun(run.ID, "success")
	health := s.check(t)
	require.Zero(t, health.ConsecutiveFailures)
	require.Equal(t, 3, health.LastRun.RunAttempt)
	require.Equal(t, "ci.run_failed ci.run_succeeded ci.flaky", s.types(t), "that it fails again changes nothing")
}

func TestFirstStart(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	old := func(r *fakegithub.Run) { r.UpdatedAt = r.UpdatedAt.Add(-24 * time.Hour) }
	for _, conclusion := range []string{"failure", "failure", "failure", "success", "failure"} {
		s.github.AddRun(conclusion, old)
	}
	s.run(t, s.config())
	require.Equal(t, 1, s.check(t).ConsecutiveFailures)
	require.Equal(t, "ci.run_failed", s.types(t), "alarms that are over are not told; the streak that lasts is")

	s.github.AddRun("failure")
	s.github.AddRun("failure")
	s.check(t)
	require.Equal(t, "ci.run_failed ci.run_failed ci.run_failed ci.degraded system.recovery_triggered", s.types(t))
}

func TestCatchesUp(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, stop := s.run(t, s.config())
	s.github.AddRun("success")
	s.check(t)
	stop()
	for range 100 { // four pages
		s.github.AddRun("failure")
	}
	s.run(t, s.config())
	require.Equal(t, 100, s.check(t).ConsecutiveFailures)
	require.Equal(t, 3, strings.Count(s.types(t), "ci.run_failed"), "what fails when health is degraded is no news")
	require.Equal(t, 1, strings.Count(s.types(t), "ci.degraded"))
}

func TestEveryWorkflowByItself(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.Workflow, cfg.Branch = "", "HEAD"
	s.run(t, cfg)
	nightly := func(r *fakegithub.Run) { r.WorkflowID, r.Workflow = 9, "Nightly" }
	for range 2 {
		s.github.AddRun("failure")
		s.github.AddRun("failure", nightly)
	}
	s.github.AddRun("success")
	s.github.AddRun("failure", nightly)
	status, err := s.ask(t, "", events.OpCICheck, "")
	require.NoError(t, err)
	require.Len(t, status.Workflows, 2)
	require.Equal(t, []any{"CI", events.CIHealthy, 0}, []any{status.Workflows[0].Workflow, status.Workflows[0].Health, status.Workflows[0].ConsecutiveFailures})
	require.Equal(t, []any{"Nightly", events.CIDegradedHealth, 3}, []any{status.Workflows[1].Workflow, status.Workflows[1].Health, status.Workflows[1].ConsecutiveFailures})
	require.Equal(t, "main", status.Workflows[1].Branch)
	require.Equal(t, 1, strings.Count(s.types(t), "ci.degraded"))
}
