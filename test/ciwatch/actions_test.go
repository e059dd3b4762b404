package ciwatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
)

// TestEveryActionIsDoneOnce kills leaders as [TestLeaderIsKilled] does, where something else is done than to run a run again. Sometimes one more
// run fails before another replica leads.
func TestEveryActionIsDoneOnce(t *testing.T) {
	t.Parallel()
	points := 4
	if full() {
		points = 40
	}
	for _, action := range []string{"workflow_dispatch", "webhook", "publish", "rerun, a dry run"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			seen := &tally{}
			killActing(t, action, seeded(t), points, seen)
			t.Log(seen)
		})
	}
}

// killActing kills leaders that carry out an action.
func killActing(t *testing.T, action string, random *rand.Rand, points int, seen *tally) {
	t.Helper()
	w := newWorld(t, nil, func(cfg *ciwatch.Config, hook string) { ruleOf(t, cfg, action, hook) })
	most := 0
	want := map[string]map[string]int{}
	for i := range points + 1 {
		wf, at, how, crowded := w.workflow(i), 0, one(random, unsent, unanswered), random.IntN(3) == 0
		if i > 0 {
			at = 1 + random.IntN(most)
		}
		wf.broken(t)
		_, before := w.hooks.distinct(0)
		leader := w.leader(t)
		leader.fuse.arm(at, how, 0, func() {
			if crowded {
				wf.add("failure")
			}
			leader.die()
		})
		wf.add("failure")
		ends := events.CIRecoveryAsked
		if strings.HasSuffix(action, "dry run") {
			ends = events.CIRecoveryDryRun
		}
		wf.await(t, ends)
		made, burnt := leader.fuse.disarm()
		require.Equal(t, action == "workflow_dispatch", wf.dispatches() == 1)
		require.LessOrEqual(t, wf.dispatches(), 1)
		if action == "webhook" {
			ids, posts := w.hooks.distinct(before)
			require.Equal(t, []string{wf.recoveries(t)[0].ID}, ids)
			require.LessOrEqual(t, posts, 2)
		}
		if i == 0 {
			most = len(made)
			continue
		}
		seen.add(burnt, how, at)
		want[wf.name] = map[string]int{events.TypeCIRunFailed: 2, events.TypeCIDegraded: 1, events.TypeSystemRecoveryTriggered: 1}
		if !crowded || burnt == "" {
			wf.add("success")
			want[wf.name][events.TypeCIRecovered] = 1
			if ends == events.CIRecoveryAsked {
				wf.await(t, events.CIRecoveryWorked)
			}
			eventually(t, "it is healthy", func() bool {
				health, _ := wf.health(t)
				return health == events.CIHealthy
			})
		}
		w.fill(t)
	}
	told := w.told(t)
	for name, of := range want {
		require.LessOrEqual(t, told[name][events.TypeCIRecoveryFailed], 1) // the run that failed in between is taken for what was started
		delete(told[name], events.TypeCIRecoveryFailed)
		require.Equal(t, of, told[name], name)
	}
	for _, order := range w.github.Orders() {
		require.Equal(t, "dispatch", order.Kind)
	}
}

// ruleOf has an action done by a rule of a file.
func ruleOf(t *testing.T, cfg *ciwatch.Config, action, hook string) {
	t.Helper()
	name, dry := strings.CutSuffix(action, ", a dry run")
	more := ""
	switch name {
	case "workflow_dispatch":
		more = ", workflow: ci.yml, inputs: {reason: broken}"
	case "webhook":
		more = fmt.Sprintf(", url: %q, secret: \"secret:hook\"", hook)
	}
	cfg.File = filepath.Join(t.TempDir(), "ci.yaml")
	text := fmt.Sprintf("rules:\n  - {name: all, failures_to_alert: 2, recovery: {action: %s, dry_run: %v%s}}\n", name, dry, more)
	require.NoError(t, os.WriteFile(cfg.File, []byte(text), 0o600))
	references, err := cfg.References()
	require.NoError(t, err)
	for _, reference := range references {
		reference.Secret.Bind(fixed{})
	}
}

// fixed is the secret of webhooks.
type fixed struct{}

// Current implements [secret.Source].
func (fixed) Current() string { return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }

// Renew implements [secret.Source].
func (fixed) Renew(context.Context, string) {}
