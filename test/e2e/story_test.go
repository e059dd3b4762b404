package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// TestStory is what the system is for: CI fails three times, GitHub shows it, and a receiver that has troubles of its own gets
// to know it, although the dispatcher is killed in the middle of telling.
func TestStory(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	u := connect(t, srv.URL())
	u.hurry(t, 3*time.Second)
	gh := newGitHub(t)

	// The receiver refuses both webhooks twice; at the third try it keeps ci.degraded waiting until its sender is dead.
	stuck, killed := make(chan struct{}), make(chan struct{})
	to := newReceiver(t, func(got hook) int {
		switch {
		case got.Try <= 2:
			return http.StatusServiceUnavailable
		case got.Try == 3 && got.Type == events.TypeCIDegraded:
			close(stuck)
			<-killed
			return http.StatusServiceUnavailable
		default:
			return http.StatusNoContent
		}
	})
	common := map[string]string{"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": "off"}
	dispatcher := func() *process.Process {
		env := to.env(events.TypeCIDegraded + "," + events.TypeSystemRecoveryTriggered)
		env["WEBHOOK_RETRY"] = "700ms,1500ms,2s" // the third try is more than a second after the first, which shows in its timestamp
		maps.Copy(env, common)
		return start(t, "dispatcher", env)
	}
	ciwatch := func() *process.Process {
		env := gh.env()
		maps.Copy(env, common)
		return start(t, "ciwatch", env)
	}

	gh.AddRun("success")
	first, watching := dispatcher(), ciwatch()
	u.check(t, events.CIHealthy, 0)
	gh.AddRun("failure")
	u.check(t, events.CIFailing, 1)
	gh.AddRun("failure")
	gh.AddRun("failure")
	u.check(t, events.CIDegradedHealth, 3)

	select {
	case <-stuck:
	case <-time.After(patience):
		require.Fail(t, "ci.degraded did not come three times")
	}
	eventually(t, "the other delivery is done", func() bool { return u.count(t, "MLSDM_DELIVERIES")+u.count(t, "MLSDM_WAITING") == 1 })
	first.Kill()
	close(killed)
	dispatcher()
	hooks := to.await(t, "both events, to the end", func(hooks []hook) bool {
		return len(tries(hooks, events.TypeCIDegraded)) >= 4 && len(tries(hooks, events.TypeSystemRecoveryTriggered)) >= 3
	})
	u.settled(t)

	told := u.events(t)
	require.Equal(t, map[string]int{
		events.TypeCIRunFailed: 3, events.TypeCIDegraded: 1, events.TypeSystemRecoveryTriggered: 1,
	}, tally(told), "and nothing else")
	requireSameWebhook(t, ofType(told, events.TypeCIDegraded)[0], tries(hooks, events.TypeCIDegraded), 4)
	requireSameWebhook(t, ofType(told, events.TypeSystemRecoveryTriggered)[0], tries(hooks, events.TypeSystemRecoveryTriggered), 3)

	// Polling again counts nothing twice, in the same process or in the next.
	for range 5 {
		u.check(t, events.CIDegradedHealth, 3)
	}
	watching.Kill()
	ciwatch()
	for range 5 {
		u.check(t, events.CIDegradedHealth, 3)
	}
	u.settled(t)
	require.Equal(t, told, u.events(t))
	again, _ := to.all()
	require.Len(t, again, len(hooks))
}

// check has GitHub asked now, and compares what is then known.
func (u user) check(t *testing.T, health string, failures int) {
	t.Helper()
	answer := u.ask(t, "mlsdm.ci.check", "{}")
	require.Empty(t, answer.Header.Get(events.HeaderErrorCode), "%s", answer.Data)
	var status events.CIStatus
	require.NoError(t, json.Unmarshal(answer.Data, &status))
	require.Len(t, status.Workflows, 1)
	require.Equal(t, health, status.Workflows[0].Health)
	require.Equal(t, failures, status.Workflows[0].ConsecutiveFailures)
}

// tries returns the webhooks of a type, in the order of their arrival.
func tries(hooks []hook, eventType string) []hook {
	return slices.DeleteFunc(slices.Clone(hooks), func(h hook) bool { return h.Type != eventType })
}

// requireSameWebhook checks that webhooks are n tries of one event: the same id and body each time, signed anew each time.
func requireSameWebhook(t *testing.T, ev events.Event, hooks []hook, n int) {
	t.Helper()
	require.Len(t, hooks, n, ev.Type)
	for i, h := range hooks {
		require.Equal(t, ev.ID, h.ID)
		require.Equal(t, hooks[0].Body, h.Body)
		require.JSONEq(t, string(ev.Data), string(h.Data))
		require.False(t, h.Signed.After(h.Arrived))
		if i > 0 { // not before the try before it was answered, whole seconds apart
			require.False(t, h.Signed.Before(hooks[i-1].Arrived.Truncate(time.Second)), "try %d was signed at %s", i+1, h.Signed)
		}
	}
	require.True(t, hooks[n-1].Signed.After(hooks[0].Signed), "a fresh timestamp at every try")
}
