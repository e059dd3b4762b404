package gitlab_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// world is a forge and what happens in it.
type world struct {
	forge.Forge
	// add adds a run that ends now, and finish ends one that was started again.
	add    func(passes bool) int64
	finish func(id int64, passes bool)
	// told is what the webhook about a run says now.
	told func(id int64) []forge.Sighting
}

// newGitHub is a world of GitHub.
func newGitHub(t *testing.T, now func() time.Time) world {
	t.Helper()
	fake, err := fakegithub.New(fakegithub.Options{Now: now})
	require.NoError(t, err)
	f, err := github.New(github.Config{Transport: fake, Now: now})
	require.NoError(t, err)
	word := map[bool]string{true: "success", false: "failure"}
	return world{
		Forge: f, add: func(passes bool) int64 { return fake.AddRun(word[passes]).ID }, finish: func(id int64, passes bool) { fake.Finish(id, word[passes]) },
		told: func(id int64) []forge.Sighting {
			runs := fake.Runs()
			header, body, err := fake.Webhook(runs[slices.IndexFunc(runs, func(r fakegithub.Run) bool { return r.ID == id })], "key")
			require.NoError(t, err)
			told, err := github.Sightings(header.Get(github.HeaderEvent), body)
			require.NoError(t, err)
			return told
		},
	}
}

// newGitLab is a world of GitLab.
func newGitLab(t *testing.T, now func() time.Time) world {
	t.Helper()
	fake := fakegitlab.New(fakegitlab.Options{Now: now})
	f, err := gitlab.New(gitlab.Config{Transport: fake, Now: now})
	require.NoError(t, err)
	word := map[bool]string{true: "success", false: "failed"}
	return world{
		Forge: f, add: func(passes bool) int64 { return fake.AddPipeline(word[passes]).ID }, finish: func(id int64, passes bool) { fake.Finish(id, word[passes]) },
		told: func(id int64) []forge.Sighting {
			all := fake.Pipelines()
			header, body, err := fake.Webhook(all[slices.IndexFunc(all, func(p fakegitlab.Pipeline) bool { return p.ID == id })], "key")
			require.NoError(t, err)
			told, err := gitlab.Sightings(header.Get(gitlab.HeaderEvent), body)
			require.NoError(t, err)
			return told
		},
	}
}

// ways are those in which a state learns of a run: by asking, by a webhook, or by both.
func ways() map[string]struct{ asks, hears bool } {
	return map[string]struct{ asks, hears bool }{"polls": {true, false}, "webhooks": {false, true}, "both": {true, true}}
}

// TestOneHistoryHasOneOutcome: whatever the forge, and however it is heard of.
func TestOneHistoryHasOneOutcome(t *testing.T) {
	t.Parallel()
	want := []string{
		`{"branch":"main","conclusion":"failure","consecutive_failures":1,"event":"push","failed_jobs":["test"],"run_number":2,"type":"ci.run_failed"}`,
		`{"branch":"main","conclusion":"success","event":"push","run_number":2,"type":"ci.run_succeeded"}`,
		`{"branch":"main","conclusion":"success","event":"push","jobs":["test"],"run_number":2,"type":"ci.flaky"}`,
		`{"branch":"main","conclusion":"failure","consecutive_failures":1,"event":"push","failed_jobs":["test"],"run_number":3,"type":"ci.run_failed"}`,
		`{"branch":"main","conclusion":"failure","consecutive_failures":2,"event":"push","failed_jobs":["test"],"run_number":4,"type":"ci.run_failed"}`,
		`{"branch":"main","conclusion":"failure","consecutive_failures":2,"event":"push","failed_jobs":["test"],"run_number":4,"threshold":2,"type":"ci.degraded"}`,
		`{"branch":"main","conclusion":"success","event":"push","failed_runs":2,"run_number":5,"type":"ci.recovered"}`,
	}
	for forgeName, open := range map[string]func(*testing.T, func() time.Time) world{"GitHub": newGitHub, "GitLab": newGitLab} {
		for name, way := range ways() {
			t.Run(forgeName+" by "+name, func(t *testing.T) {
				t.Parallel()
				at := time.Date(2026, 5, 4, 9, 0, 0, 777e6, time.UTC)
				w := open(t, func() time.Time { return at })
				h := &history{world: w, rules: tracker.Rules{FailuresToAlert: 2}}
				step := func(id int64) {
					if way.hears {
						h.hear(t, id, at)
					}
					if way.asks {
						h.ask(t, at)
					}
					at = at.Add(time.Hour)
				}
				step(w.add(true))
				failed := w.add(false)
				step(failed)
				run, err := w.Run(t.Context(), "neuron7x/mlsdm", failed)
				require.NoError(t, err)
				require.NoError(t, w.Rerun(t.Context(), run, true))
				again, err := w.Run(t.Context(), "neuron7x/mlsdm", failed)
				require.NoError(t, err)
				require.False(t, again.Done)
				w.finish(failed, true)
				again, err = w.Run(t.Context(), "neuron7x/mlsdm", failed)
				require.NoError(t, err)
				require.Greater(t, again.Attempt, run.Attempt)
				step(failed)
				for _, passes := range []bool{false, false, true} {
					step(w.add(passes))
				}
				require.Equal(t, want, h.events)
				require.Zero(t, h.state.ConsecutiveFailures())
			})
		}
	}
}

// history is what comes of what happens.
type history struct {
	world
	rules  tracker.Rules
	state  tracker.State
	events []string
}

// hear takes in a webhook about a run.
func (h *history) hear(t *testing.T, id int64, at time.Time) {
	t.Helper()
	for _, s := range h.told(id) {
		run := *s.Run
		if h.state.Version == 0 {
			h.begin(run, at)
		}
		h.state = h.state.Note(run, at)
	}
	h.know(t)
	h.advance(t, at)
}

// ask polls.
func (h *history) ask(t *testing.T, at time.Time) {
	t.Helper()
	page, err := h.Runs(t.Context(), forge.Query{Repository: "neuron7x/mlsdm"})
	require.NoError(t, err)
	require.Zero(t, page.Skipped)
	if h.state.Version == 0 {
		h.begin(page.Runs[0], at)
	}
	h.state = h.state.Listed(page.Runs, at)
	h.know(t)
	h.advance(t, at)
}

// begin begins with the first run.
func (h *history) begin(run forge.Run, at time.Time) {
	h.state = tracker.New(tracker.Identity{
		Forge: h.Name(), Repository: run.Repository, WorkflowID: run.WorkflowID, Workflow: run.Workflow, File: run.File, Branch: run.Branch,
	}).Begin(at.Add(-time.Hour), h.rules)
}

// know asks for the jobs of the runs whose jobs matter.
func (h *history) know(t *testing.T) {
	t.Helper()
	for _, run := range h.state.Wanting() {
		jobs, err := h.Jobs(t.Context(), run)
		require.NoError(t, err)
		h.state = h.state.NoteJobs(run, jobs)
	}
}

// advance consumes all that waits.
func (h *history) advance(t *testing.T, at time.Time) {
	t.Helper()
	data, err := h.state.Encode() // as it is kept
	require.NoError(t, err)
	h.state, err = tracker.Decode(data)
	require.NoError(t, err)
	var out []tracker.Event
	h.state, out = h.state.Advance(h.rules, at, at)
	for _, ev := range out {
		require.NoError(t, ev.Payload.Validate())
		h.events = append(h.events, outcome(t, ev))
	}
}

// outcome is what an event says that does not depend on the forge.
func outcome(t *testing.T, ev tracker.Event) string {
	t.Helper()
	data, err := json.Marshal(ev.Payload)
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(data, &all))
	told := map[string]any{"type": ev.Payload.EventType()}
	for _, key := range []string{"branch", "conclusion", "consecutive_failures", "event", "run_number", "threshold", "failed_runs"} {
		if value, ok := all[key]; ok {
			told[key] = value
		}
	}
	for _, key := range []string{"failed_jobs", "jobs"} {
		jobs, ok := all[key].([]any)
		if !ok {
			continue
		}
		var names []string
		for _, job := range jobs {
			fields, ok := job.(map[string]any)
			require.True(t, ok)
			name, ok := fields["name"].(string)
			require.True(t, ok)
			names = append(names, name)
		}
		told[key] = names
	}
	text, err := json.Marshal(told)
	require.NoError(t, err)
	return string(text)
}
