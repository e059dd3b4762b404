package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// cannedHistory is that of two workflows.
func cannedHistory() events.CIHistory {
	return events.CIHistory{
		Runs: []events.CIPastRun{
			{
				Workflow: "CI", Branch: "main", RunID: 9004, RunNumber: 44, Attempts: 2, Result: "failed", HeadSHA: "4444444aaaa", URL: "https://forge.example/runs/9004",
				FailedJobs: []string{"unit", "lint"}, StartedAt: ciMoment(10*time.Minute + 30*time.Second), QueueSeconds: 4.2, RunSeconds: 243,
			},
			{Workflow: "CI", Branch: "main", RunID: 9003, RunNumber: 43, Attempts: 1, Result: "passed", Flaky: true, HeadSHA: "3333333aaaa", StartedAt: ciMoment(time.Hour + time.Minute/2)},
			{Workflow: "Nightly", Branch: "main", RunID: 700, Attempts: 1, Result: "neither", StartedAt: ciMoment(3*time.Hour + time.Minute/2), URL: "https://forge.example/runs/700"},
			{Workflow: "CI", Branch: "main", RunID: 9002, RunNumber: 42, Attempts: 1, Result: "passed", URL: "https://forge.example/runs/9002", StartedAt: ciMoment(73 * time.Hour)},
		},
		Recoveries: []events.CIRecovery{{
			ID: "r1", Workflow: "CI", Branch: "main", Action: "rerun_failed_jobs", Rule: "main branches", State: events.CIRecoveryAsked,
			Reason: "3 failed runs in a row of CI on main", RunID: 9004, RunAttempt: 2, At: ciMoment(5*time.Minute + time.Minute/2),
		}},
		Days: []events.CIDay{{Day: "2026-05-04", Workflow: "CI", Branch: "main", Runs: 24, Failed: 6}, {Day: "2026-05-03", Workflow: "CI", Branch: "main", Runs: 3}},
	}
}

func TestCIHistoryPrinted(t *testing.T) {
	t.Parallel()
	status := events.CIStatus{Workflows: []events.CIWorkflowStatus{
		{
			Workflow: "CI", Branch: "main", Health: events.CIDegradedHealth, Since: ciMoment(12*time.Minute + time.Minute/2),
			Stats: &events.CIStats{
				Runs: 1200, Failed: 120, FailureRate: .1, MeanTimeToRecovery: 5400, Recoveries: 3, TimeToGreen: 1500,
				QueueP50: 3, QueueP95: 40, RunP50: 243, RunP95: 4000,
			},
		},
		{Workflow: "CI", Branch: "main", PullRequests: true, Health: events.CIHealthy},
		{Workflow: "Release", Branch: "main", Health: events.CIUnknown, Stats: &events.CIStats{Runs: 1, QueueP50: 1}},
	}}
	var out bytes.Buffer
	require.NoError(t, printCIHistory(&out, false, cannedHistory(), status, ciNow()))
	require.Equal(t, []string{
		`CI on main  +~x`,
		`  degraded for 12m`,
		`  30 days: 120 of 1,200 runs failed (10%); 25m from red to green; 1h30m from degraded to healthy (mean of 3)`,
		`  a run takes 4m3s (p95 1h06m) and waits 3s (p95 40s)`,
		`  pull requests: healthy`,
		``,
		`Nightly on main  -`,
		``,
		`Release on main`,
		`  unknown`,
		`  30 days: 0 of 1 runs failed (0%)`,
		`  a run waits 1s (p95 -)`,
		``,
		`STARTED    RESULT         WORKFLOW  BRANCH  RUN  ATTEMPTS  COMMIT   WAITED  TOOK  FAILED JOBS  URL`,
		`10m ago    failed         CI        main    #44  2         4444444  4s      4m3s  unit, lint   https://forge.example/runs/9004`,
		`1h00m ago  passed, flaky  CI        main    #43  -         3333333  -       -     -            -`,
		`3h00m ago  neither        Nightly   main    700  -         -        -       -     -            https://forge.example/runs/700`,
		`3d ago     passed         CI        main    #42  -         -        -       -     -            -`,
		``,
		`RECOVERY  STATE  ACTION             WORKFLOW  BRANCH  RUN               RULE           WHY`,
		`5m ago    asked  rerun_failed_jobs  CI        main    9004 (attempt 2)  main branches  3 failed runs in a row of CI on main`,
		``,
		`DAY         WORKFLOW  BRANCH  RUNS  FAILED  SHARE`,
		`2026-05-04  CI        main    24    6       [====== ]`,
		`2026-05-03  CI        main    3     0       [ ]`,
	}, strings.Split(strings.TrimSuffix(squeezed(out.String()), "\n"), "\n"))
}

func TestCIHistory(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIHistory, cannedHistory())
	f.say(t, events.OpCIStatus, events.CIStatus{Workflows: []events.CIWorkflowStatus{{Workflow: "CI", Branch: "main", Health: events.CIDegradedHealth}}})
	out, errs, code := f.ctl(t, "history", "acme/app", "--workflow", "ci.yml", "--branch", "main", "--forge", "github", "--limit", "7")
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.True(t, strings.HasPrefix(out, "CI on main  +~x\n  degraded\n"), out)
	require.Equal(t, []string{`{"repository":"acme/app","forge":"github","workflow":"ci.yml","branch":"main","limit":7}`}, f.questions(events.OpCIHistory))
	require.Equal(t, []string{`{"forge":"github","repository":"acme/app","workflow":"ci.yml","branch":"main"}`}, f.questions(events.OpCIStatus))
}

// squeezed shortens the bars.
func squeezed(text string) string {
	for strings.Contains(text, "  ]") {
		text = strings.ReplaceAll(text, "  ]", " ]")
	}
	return text
}

// Who may not ask for the figures has the history all the same.
func TestCIHistoryWithoutFigures(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIHistory, cannedHistory())
	f.refuse(events.OpCIStatus, events.Errorf(events.CodePermissionDenied, "not you"))
	out, errs, code := f.ctl(t, "history", "acme/app")
	require.Zero(t, code, errs)
	require.Contains(t, errs, "the figures are not known: ")
	require.Contains(t, out, "CI on main  +~x\n")
	require.Equal(t, []string{`{"repository":"acme/app","limit":20}`}, f.questions(events.OpCIHistory))
	_, _, code = f.ctl(t, "history", "acme/app", "--json")
	require.Zero(t, code)
	require.Len(t, f.questions(events.OpCIStatus), 1, "machines are given one reply")
}

func TestCIHistoryOfNothing(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIHistory, events.CIHistory{Runs: []events.CIPastRun{}})
	f.say(t, events.OpCIStatus, events.CIStatus{Workflows: []events.CIWorkflowStatus{}})
	out, errs, code := f.ctl(t, "history", "acme/app")
	require.Zero(t, code, errs)
	require.Equal(t, "no run like that was counted yet\n", out)
	f.refuse(events.OpCIHistory, events.Errorf(events.CodeNotFound, "the repository acme/app is not watched"))
	_, errs, code = f.ctl(t, "history", "acme/app")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "is not watched")
}
