package ciwatch_test

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
)

// TestLeaderIsKilled kills the leader of three replicas at random moments, from before a branch degrades until it is known that its recovery was
// asked for. Each time, a run is run again once, that is told once, and so is what becomes of it.
func TestLeaderIsKilled(t *testing.T) {
	t.Parallel()
	const worlds = 4
	points := 5
	if full() {
		points = 50
	}
	seen := &tally{}
	t.Cleanup(func() { t.Log(seen) })
	for i := range worlds {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			random := seeded(t)
			killLeaders(t, one(random, "rerun", "rerun_failed_jobs"), []string{unsent, unanswered}, random, points, seen)
		})
	}
}

// TestLeaderSleeps stops the leader at such moments for twice as long as its lease is good. What it does when it goes on is not done again.
func TestLeaderSleeps(t *testing.T) {
	t.Parallel()
	points := 5
	if full() {
		points = 25
	}
	seen := &tally{}
	t.Cleanup(func() { t.Log(seen) })
	for i := range 2 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			killLeaders(t, "rerun", []string{held}, seeded(t), points, seen)
		})
	}
}

// killLeaders kills leaders that run a run again, or stops them.
func killLeaders(t *testing.T, action string, hows []string, random *rand.Rand, points int, seen *tally) {
	t.Helper()
	var quick atomic.Pointer[string] // what becomes of a run as soon as it is started again, before anybody is told that it is
	var w *world
	w = newWorld(t, func(r *http.Request) {
		if conclusion := quick.Load(); conclusion != nil && r.Method == http.MethodPost {
			for _, order := range w.github.Orders() {
				w.github.Finish(order.RunID, *conclusion)
			}
		}
	}, func(cfg *ciwatch.Config, _ string) { cfg.Recovery = action })
	want := map[string]map[string]int{}
	most := 0
	for i := range points + 1 {
		wf, at, how, conclusion := w.workflow(i), 0, one(random, hows...), one(random, "success", "failure")
		if i > 0 {
			at = 1 + random.IntN(most)
		}
		wf.broken(t)
		quick.Store(nil)
		if random.IntN(2) == 0 {
			quick.Store(&conclusion)
		}
		leader := w.leader(t)
		leader.fuse.arm(at, how, 2*lease, leader.die)
		run := wf.add("failure")
		eventually(t, "it is run again", func() bool { return w.orders(run.ID) > 0 })
		if quick.Load() == nil {
			wf.await(t, events.CIRecoveryAsked)
			w.github.Finish(run.ID, conclusion)
		}
		want[wf.name] = wf.ends(t, conclusion)
		eventually(t, "who sleeps goes on", leader.fuse.awake)
		made, burnt := leader.fuse.disarm()
		if i > 0 {
			seen.add(burnt, how, at)
			w.fill(t)
			continue
		}
		most = len(made)
		for strings.HasSuffix(made[most-1], "/actions/runs") { // nothing happens any more
			most--
		}
		t.Logf("%d operations: %s", most, strings.Join(made[:most], ", "))
	}
	for _, order := range w.github.Orders() {
		require.Equal(t, 1, w.orders(order.RunID))
	}
	told := w.told(t)
	for name, of := range want {
		require.Equal(t, of, told[name], name)
	}
}

// broken has a run fail, and waits until it is counted.
func (w workflow) broken(t *testing.T) {
	t.Helper()
	w.add("failure")
	eventually(t, "the first failure is counted", func() bool {
		_, failures := w.health(t)
		return failures == 1
	})
}

// ends waits until the end of a run that was run again is counted, and returns which events are to be told of all.
func (w workflow) ends(t *testing.T, conclusion string) map[string]int {
	t.Helper()
	want := map[string]int{events.TypeCIRunFailed: 2, events.TypeCIDegraded: 1, events.TypeSystemRecoveryTriggered: 1}
	state, becomes := events.CIRecoveryUseless, events.CIDegradedHealth
	if conclusion == "success" {
		state, becomes = events.CIRecoveryWorked, events.CIHealthy
		want[events.TypeCIRecovered], want[events.TypeCIFlaky] = 1, 1
	} else {
		want[events.TypeCIRecoveryFailed] = 1
	}
	w.await(t, state)
	eventually(t, "it is "+becomes, func() bool { // whoever answers may not have heard yet what another has
		health, _ := w.health(t)
		return health == becomes
	})
	return want
}

// one returns one of several.
func one[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

// orders counts how often GitHub was told to run a run again, whether it did or not.
func (w *world) orders(run int64) int {
	n := 0
	for _, order := range w.github.Orders() {
		if order.RunID == run {
			n++
		}
	}
	return n
}

// dispatches counts how often GitHub was told to start a workflow on the branch.
func (w workflow) dispatches() int {
	n := 0
	for _, order := range w.github.Orders() {
		if order.Kind == "dispatch" && order.Ref == w.branch {
			n++
		}
	}
	return n
}
