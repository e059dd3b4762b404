package tracker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

const (
	repository = "neuron7x/mlsdm"

	f = forge.Failure
	s = forge.Success
)

// epoch is when the tests' first run started.
func epoch() time.Time { return time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC) }

// rules are the defaults.
func rules() tracker.Rules {
	return tracker.Rules{FailuresToAlert: 3, PassesToClose: 1, Cooldown: 5 * time.Minute}
}

// allRuns are the rules by which each run is told.
func allRuns() tracker.Rules {
	r := rules()
	r.AllRuns = true
	return r
}

func identity() tracker.Identity {
	return tracker.Identity{Forge: "github", Repository: repository, WorkflowID: 7, Workflow: "CI", File: "ci.yml", Branch: "main"}
}

// fresh returns a state that has seen nothing and watches.
func fresh() tracker.State { return tracker.New(identity()).Begin(epoch(), rules()) }

// run makes an attempt of the run with a number: runs are an hour apart and take a minute, and each has a commit of its own.
func run(number, attempt int, conclusion forge.Conclusion) forge.Run {
	created := epoch().Add(time.Duration(number) * time.Hour)
	started := created.Add(time.Duration(attempt) * 2 * time.Minute)
	return forge.Run{
		Repository: repository, ID: int64(1000 + number), Attempt: attempt, Counted: true, Number: number, WorkflowID: 7, Workflow: "CI",
		File: "ci.yml", Branch: "main", Event: "push", HeadSHA: fmt.Sprintf("%040x", number), Title: "a change", Author: "someone",
		Done: true, Conclusion: conclusion, URL: fmt.Sprintf("https://forge.example/runs/%d", 1000+number),
		CreatedAt: created, StartedAt: started, CompletedAt: started.Add(time.Minute),
	}
}

// job makes a job of an attempt.
func job(r forge.Run, name string, conclusion forge.Conclusion, steps ...string) forge.Job {
	return forge.Job{
		ID: r.ID*100 + int64(len(name)), RunID: r.ID, Attempt: r.Attempt, Name: name, Conclusion: conclusion, FailedSteps: steps,
		HeadSHA: r.HeadSHA, Branch: r.Branch, StartedAt: r.StartedAt, CompletedAt: r.CompletedAt,
	}
}

// observe notes attempts one after another and has each consumed at once. What it returns tells each event as
// TYPE(NUMBER.ATTEMPT).
func observe(t *testing.T, state tracker.State, rules tracker.Rules, runs ...forge.Run) (tracker.State, []string) {
	t.Helper()
	var told []string
	ids := map[string]bool{}
	for _, r := range runs {
		var out []tracker.Event
		state, out = state.Note(r, r.CompletedAt).Advance(rules, r.CompletedAt, r.CompletedAt)
		for _, ev := range out {
			requireValid(t, ev)
			require.False(t, ids[ev.ID], "%s has the id of another event", ev.Payload.EventType())
			ids[ev.ID] = true
			told = append(told, word(ev)+fmt.Sprintf("(%d.%d)", r.Number, r.Attempt))
		}
	}
	return state, told
}

// word is an event's type in short.
func word(ev tracker.Event) string { return strings.TrimPrefix(ev.Payload.EventType(), "ci.") }

// words are those of events.
func words(out []tracker.Event) string {
	var told []string
	for _, ev := range out {
		told = append(told, word(ev))
	}
	return strings.Join(told, " ")
}

func requireValid(t *testing.T, ev tracker.Event) {
	t.Helper()
	require.NoError(t, ev.Payload.Validate(), "%T", ev.Payload)
	require.NoError(t, events.CheckID("id", ev.ID))
	require.False(t, ev.Time.IsZero())
}

// encoded returns the stored form of a state.
func encoded(t *testing.T, state tracker.State) string {
	t.Helper()
	data, err := state.Encode()
	require.NoError(t, err)
	require.Less(t, len(data), 64<<10)
	return string(data)
}

// stored returns state as it comes back from where it is kept.
func stored(t *testing.T, state tracker.State) tracker.State {
	t.Helper()
	back, err := tracker.Decode([]byte(encoded(t, state)))
	require.NoError(t, err)
	return back
}
