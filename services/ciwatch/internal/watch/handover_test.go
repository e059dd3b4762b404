package watch_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

// Replicas come and go in the middle of a history: what is told is that of one that stays, and whoever asks for a poll meanwhile gets an answer.
func TestHandOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.run(t, w.config(t, "acme/one"))
	asks := w.run(t, w.config(t, "acme/one"))
	for i := range 12 {
		conclusion := "failure"
		if i%4 == 3 {
			conclusion = "success"
		}
		hook := w.hook(t, w.fake.AddRun(conclusion))
		replaced := make(chan *replica, 1)
		if i%3 == 1 {
			fresh := w.run(t, w.config(t, "acme/one"))
			go func() { first.stop(); replaced <- fresh }()
		} else {
			replaced <- first
		}
		asks.told(t, hook, hook.again(1))
		require.NoError(t, asks.check(t.Context(), "acme/one"))
		first = <-replaced
	}
	require.Equal(t, strings.Repeat(" ci.run_failed ci.run_failed ci.run_failed ci.degraded ci.recovered", 3)[1:], w.types(t, "acme/one"))
	require.Equal(t, events.CIHealthy, asks.status(t, "acme/one").Workflows[0].Health)
}

// A command that whoever led has taken into the grave is told again.
func TestCommandIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.config(t, "acme/one"))
	w.fake.AddRun("failure")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	r.stop()
	asks := w.run(t, w.config(t, "acme/one"))
	eventually(t, func() bool { return w.waiting(t) == 0 })
	require.NoError(t, asks.check(t.Context(), "acme/one"))
	one := asks.status(t, "acme/one")
	require.WithinDuration(t, time.Now(), one.LastPollAt, time.Minute)
}

// Checks at the same time are all answered, by however few polls.
func TestManyChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.config(t, "acme/one"))
	errs := make(chan error)
	const many = 40
	for range many {
		go func() { errs <- r.check(t.Context(), "acme/one") }()
	}
	for range many {
		require.NoError(t, <-errs)
	}
}

// A check while the rate limit is used up is answered at once, and says for how long that will be.
func TestCheckAtTheRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.config(t, "acme/one", "acme/two"))
	w.fake.AddRepository("acme/two")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	w.limit(time.Hour)
	for range 2 {
		for _, name := range []string{"acme/one", "acme/two"} {
			err := r.check(t.Context(), name)
			require.Equal(t, events.CodeRateLimited, events.CodeOf(err), name)
			require.Greater(t, events.AsError(err).RetryAfter, 30*time.Minute, name)
		}
	}
}

// While NATS is away nothing is lost, and the log does not fill.
func TestBusIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config(t, "acme/one")
	cfg.Grace = time.Nanosecond
	r := w.run(t, cfg)
	w.fake.AddRun("failure")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	r.told(t, w.hook(t, w.fake.AddRun("failure")))
	w.nats.Restart(t)
	w.fake.AddRun("failure")
	eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := r.Check(ctx, events.CIStatusRequest{Repository: "acme/one"}); err != nil {
			return false
		}
		return r.status(t, "acme/one").Workflows[0].ConsecutiveFailures == 3
	})
	require.Equal(t, "ci.run_failed ci.run_failed ci.run_failed ci.degraded", w.types(t, "acme/one"))
	require.Less(t, strings.Count(w.log.String(), "level=WARN"), 60)
}

// What nobody can read, or is in the wrong place, holds up nothing.
func TestSightingsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.config(t, "acme/one", "acme/two"))
	publish := func(shard int, body string) {
		_, err := w.client.Publish(t.Context(), bus.Msg{Subject: w.client.Subjects().Sightings(shard), Body: []byte(body)})
		require.NoError(t, err)
	}
	one := watch.Repository{Forge: "github", Name: "acme/one"}
	run := forge.Run{ID: 1, Attempt: 1, Number: 1, WorkflowID: 9, Workflow: "Misplaced", Branch: "main", Done: true, Conclusion: forge.Failure}
	misplaced, err := json.Marshal(forge.Sighting{Forge: "github", Repository: "acme/one", Run: &run, At: time.Now()})
	require.NoError(t, err)
	publish((one.Shard()+1)%events.CIShards, string(misplaced))
	for _, body := range []string{"", "{", "[]", `{"forge":"github"}`, `{"repository":"acme/one"}`, `{"forge":"gitlab","repository":"acme/one","poke":true}`} {
		publish(one.Shard(), body)
	}
	eventually(t, func() bool { return w.waiting(t) == 0 })
	w.fake.AddRun("failure")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	status := r.status(t, "")
	require.False(t, slices.ContainsFunc(status.Workflows, func(s events.CIWorkflowStatus) bool { return s.Workflow == "Misplaced" }))
	require.Len(t, status.Workflows, 1)
}
