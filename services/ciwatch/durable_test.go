package ciwatch_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestCrashBeforeTheStateIsWritten(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, stop := s.run(t, s.config())
	for range 3 {
		s.github.AddRun("failure")
	}
	s.check(t)
	before := s.types(t)
	stop()

	js, err := s.nats.Conn(t).JetStream()
	require.NoError(t, err)
	kv, err := js.KeyValue("mlsdm_ci")
	require.NoError(t, err)
	keys, err := kv.Keys()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"repo.github.neuron7x/mlsdm", stateKey}, keys)
	require.NoError(t, kv.Delete(stateKey))

	s.run(t, s.config())
	require.Equal(t, events.CIDegradedHealth, s.check(t).Health)
	require.Equal(t, before, s.types(t), "the same events have the same ids, and are stored once")
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.PollInterval, cfg.MinPollInterval = 2*time.Millisecond, time.Millisecond
	for range 3 {
		s.run(t, cfg)
	}
	var want []string
	for range 5 {
		for range 3 {
			s.github.AddRun("failure")
		}
		s.github.AddRun("success")
	}
	for range 5 {
		want = append(want, "ci.run_failed", "ci.run_failed", "ci.run_failed", "ci.degraded")
		want = append(want, "ci.recovered")
	}
	require.Eventually(t, func() bool { return len(s.events(t)) >= len(want) }, 30*time.Second, 10*time.Millisecond)
	for range 10 {
		s.check(t) // by whichever replica
	}
	told := strings.Fields(s.types(t))
	recoveries := len(told)
	told = slices.DeleteFunc(told, func(name string) bool { return name == events.TypeSystemRecoveryTriggered })
	require.LessOrEqual(t, recoveries-len(told), 1, "what is green again when it is seen is not recovered")
	require.Equal(t, want, told, "each event once, in order")
	require.Equal(t, events.CIHealthy, s.check(t).Health)
}

func TestStateThatIsNotOurs(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(t, s.config())
	kv, err := s.client.KV(t.Context(), events.BucketCI)
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), stateKey, []byte(`{"version": 99}`))
	require.NoError(t, err)
	s.github.AddRun("failure")
	_, err = s.ask(t, "", events.OpCICheck, "")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	require.ErrorContains(t, err, stateKey)
	value, _, err := kv.Get(t.Context(), stateKey)
	require.NoError(t, err)
	require.JSONEq(t, `{"version": 99}`, string(value), "a newer version's state is left alone")
	require.Empty(t, s.types(t))
}

func TestPollsWhileTheBusIsAway(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(t, s.config())
	s.github.AddRun("failure")
	s.check(t)
	s.nats.Restart(t)
	s.github.AddRun("failure")
	require.Eventually(t, func() bool {
		// A question that went down with the connection is never answered, so each has little time.
		status, err := s.askFor(t, 2*time.Second, "", events.OpCICheck, "")
		return err == nil && len(status.Workflows) == 1 && status.Workflows[0].ConsecutiveFailures == 2
	}, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, "ci.run_failed ci.run_failed", s.types(t))
}
