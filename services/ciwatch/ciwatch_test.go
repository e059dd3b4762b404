package ciwatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

const (
	repository = "neuron7x/mlsdm"
	token      = "ghp_canary31337"
	stateKey   = "state.github.neuron7x/mlsdm.52104.branch.main"
)

// stack is a NATS server and a GitHub.
type stack struct {
	nats   *bustest.Server
	client *bus.Bus
	github *fakegithub.Server
	apiURL string
	// metrics are those of the last ciwatch that was started.
	metrics *prometheus.Registry
}

func newStack(t *testing.T) *stack {
	t.Helper()
	opts := fakegithub.Options{Repository: repository, Token: token}
	recorded, err := fakegithub.LoadTemplates("../../../shared/data/github-webhooks")
	if err == nil {
		t.Logf("runs look like %d recorded ones", len(recorded))
		opts.Templates = recorded
	} else {
		require.ErrorIs(t, err, fs.ErrNotExist)
		t.Log("runs look like our own: there are no recorded ones here")
	}
	fake, err := fakegithub.New(opts)
	require.NoError(t, err)
	require.Equal(t, len(recorded) == 0, fake.Embedded())
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	s := &stack{nats: bustest.Start(t), github: fake, apiURL: server.URL}
	s.client = s.nats.Connect(t, "client")
	return s
}

// config watches the stack's GitHub, and polls when it starts and when it is asked to.
func (s *stack) config() ciwatch.Config {
	return ciwatch.Config{
		Token: secret.NewValue(token), Repositories: []string{repository}, APIURL: s.apiURL, Workflow: "ci.yml", Branch: "main",
		PollInterval: time.Hour, MinPollInterval: time.Millisecond, FailureThreshold: 3, RecoveryCooldown: 5 * time.Minute,
		Settle: 50 * time.Millisecond, LeaseTTL: 2 * time.Second,
	}
}

// run starts a ciwatch. It is stopped, and waited for, by stop or when the test ends.
func (s *stack) run(t *testing.T, cfg ciwatch.Config) (checks *health.Checks, stop func()) {
	t.Helper()
	checks = health.NewChecks()
	s.metrics = prometheus.NewRegistry()
	svc, err := ciwatch.New(cfg, service.Deps{
		Name: "ciwatch", Bus: s.nats.Connect(t, "ciwatch"), Logger: bustest.Logger(t), Metrics: s.metrics,
		Health: checks, Version: "1.2.3", DrainTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			require.Fail(t, "ciwatch does not stop")
		}
	}
	t.Cleanup(stop)
	require.Eventually(t, func() bool {
		_, err := s.ask(t, "", events.OpCIStatus, "")
		return err == nil || events.CodeOf(err) == events.CodeFailedPrecondition
	}, 10*time.Second, 5*time.Millisecond, "ciwatch does not answer")
	return checks, stop
}

// ask sends a request.
func (s *stack) ask(t *testing.T, caller, operation, body string) (events.CIStatus, error) {
	t.Helper()
	return s.askFor(t, 20*time.Second, caller, operation, body)
}

// askFor is ask with another patience.
func (s *stack) askFor(t *testing.T, patience time.Duration, caller, operation, body string) (events.CIStatus, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var status events.CIStatus
	reply, err := s.client.Request(ctx, bus.Msg{Subject: s.client.Subjects().Interactive(caller, operation), Body: []byte(body)})
	if err != nil {
		return status, err
	}
	require.NoError(t, json.Unmarshal(reply.Body, &status))
	require.Equal(t, repository, status.Repository)
	return status, nil
}

// check polls, and returns the health of the only workflow.
func (s *stack) check(t *testing.T) events.CIWorkflowStatus {
	t.Helper()
	status, err := s.ask(t, "", events.OpCICheck, "{}")
	require.NoError(t, err)
	require.Empty(t, status.LastError)
	require.WithinDuration(t, time.Now(), status.LastPollAt, time.Minute)
	if len(status.Workflows) == 0 {
		return events.CIWorkflowStatus{}
	}
	require.Len(t, status.Workflows, 1)
	return status.Workflows[0]
}

// events returns what the stream holds.
func (s *stack) events(t *testing.T) []events.Event {
	t.Helper()
	js, err := s.nats.Conn(t).JetStream()
	require.NoError(t, err)
	info, err := js.StreamInfo("MLSDM_EVENTS")
	require.NoError(t, err)
	var all []events.Event
	for sequence := info.State.FirstSeq; info.State.Msgs > 0 && sequence <= info.State.LastSeq; sequence++ {
		msg, err := js.GetMsg("MLSDM_EVENTS", sequence)
		require.NoError(t, err)
		ev, err := events.FromMessage(s.client.Subjects(), msg.Subject, msg.Header, msg.Data, events.Stored{
			Stream: "MLSDM_EVENTS", Sequence: sequence, Time: msg.Time,
		})
		require.NoError(t, err)
		require.Equal(t, ciwatch.Source, ev.Source)
		require.Equal(t, ev.ID, msg.Header.Get(events.HeaderMsgID))
		all = append(all, ev)
	}
	return all
}

// types returns the types of what the stream holds, in order.
func (s *stack) types(t *testing.T) string {
	t.Helper()
	var types []string
	for _, ev := range s.events(t) {
		types = append(types, ev.Type)
	}
	return strings.Join(types, " ")
}

// metric returns the sum of a metric over its labels.
func (s *stack) metric(t *testing.T, name string, label ...string) float64 {
	t.Helper()
	families, err := s.metrics.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		sum := 0.0
		for _, m := range family.GetMetric() {
			if len(label) > 0 && !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == label[0] }) {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		return sum
	}
	require.Fail(t, "no such metric", name)
	return 0
}

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

func TestGitHubFails(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	checks, _ := s.run(t, s.config())
	s.github.AddRun("failure")
	s.check(t)
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status)

	s.github.Fail(fakegithub.Failure{Status: 500}, fakegithub.Failure{Status: 401, Body: `{"message":"` + token + `"}`})
	_, err := s.ask(t, "", events.OpCICheck, "")
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.Equal(t, "github", events.AsError(err).Provider)
	_, err = s.ask(t, "", events.OpCICheck, "")
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
	require.NotContains(t, err.Error(), token)

	report := checks.Run(t.Context())
	require.Equal(t, health.StatusDegraded, report.Status, "ready all the same")
	require.Equal(t, health.StatusDegraded, report.Checks["forges"].Status)
	require.Contains(t, report.Checks["forges"].Message, "token 1")
	require.NotContains(t, report.Checks["forges"].Message, token)
	status, err := s.ask(t, "", events.OpCIStatus, "")
	require.NoError(t, err)
	require.Contains(t, status.LastError, "unauthenticated")
	require.Equal(t, 1, status.Workflows[0].ConsecutiveFailures, "what was seen last is still told")

	require.Eventually(t, func() bool { // a token that was refused is left alone for a moment
		_, err := s.ask(t, "", events.OpCICheck, "")
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status)

	s.github.Fail(fakegithub.Failure{Status: 429, RetryAfter: time.Hour})
	_, err = s.ask(t, "", events.OpCICheck, "")
	require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
	require.InDelta(t, time.Hour, events.AsError(err).RetryAfter, float64(time.Minute))
}

// TestRecoversByItself polls on its own, through an outage.
func TestRecoversByItself(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.PollInterval, cfg.MinPollInterval = 5*time.Millisecond, time.Millisecond
	s.github.Fail(fakegithub.Failure{Status: 500}, fakegithub.Failure{Status: 503}, fakegithub.Failure{Body: "<html>"})
	s.github.AddRun("failure")
	s.run(t, cfg)
	require.Eventually(t, func() bool { return s.types(t) == "ci.run_failed" }, 20*time.Second, 5*time.Millisecond)
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

func TestNotConfigured(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.Repositories = nil
	checks, stop := s.run(t, cfg)
	for _, operation := range []string{events.OpCIStatus, events.OpCICheck} {
		_, err := s.ask(t, "", operation, "{}")
		require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
		require.ErrorContains(t, err, "GITHUB_REPOSITORY")
	}
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status)
	stop()
	all, _ := s.github.Requests()
	require.Zero(t, all)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(t, s.config())
	for _, operation := range []string{events.OpCIStatus, events.OpCICheck} {
		for name, body := range map[string]string{
			"not JSON": "status", "a list": "[]", "a text": `"main"`, "not UTF-8": "{\"a\": \"\xff\"}", "too deep": strings.Repeat("[", 100),
			"too large": `{"a": "` + strings.Repeat("a", 2<<20) + `"}`,
		} {
			_, err := s.ask(t, "", operation, body)
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%s: %s: %v", operation, name, err)
		}
		for _, body := range []string{"", "{}", `{"later": true}`} {
			_, err := s.ask(t, "alice", operation, body)
			require.NoError(t, err, "%s with %q", operation, body)
		}
	}
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

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := (&stack{}).config()
	for name, change := range map[string]func(*ciwatch.Config){
		"interval":         func(c *ciwatch.Config) { c.PollInterval, c.MinPollInterval = 4*time.Second, 0 },
		"long interval":    func(c *ciwatch.Config) { c.PollInterval = 25 * time.Hour },
		"threshold":        func(c *ciwatch.Config) { c.FailureThreshold = 0 },
		"cooldown":         func(c *ciwatch.Config) { c.RecoveryCooldown = -time.Second },
		"repository":       func(c *ciwatch.Config) { c.Repositories = []string{"neuron7x/../mlsdm"} },
		"URL":              func(c *ciwatch.Config) { c.APIURL = "ftp://github.example" },
		"idle, with a URL": func(c *ciwatch.Config) { c.Repositories, c.APIURL = nil, "ftp://github.example" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := good
			change(&bad)
			_, err := ciwatch.New(bad, service.Deps{})
			require.Error(t, err)
		})
	}
	require.NoError(t, good.Validate())
	require.NoError(t, errors.Join(ciwatch.Config{PollInterval: time.Minute, FailureThreshold: 1}.Validate()))
}
