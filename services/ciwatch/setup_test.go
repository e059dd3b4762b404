package ciwatch_test

import (
	"context"
	"encoding/json"
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
		Health: checks, Tracer: bustest.Tracer(t), Version: "1.2.3", DrainTimeout: 5 * time.Second,
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
	require.Eventually(t, func() bool { // it hears of its operations one after the other
		_, err := s.ask(t, "", events.OpCICheck, "no JSON")
		return events.CodeOf(err) == events.CodeInvalidArgument
	}, 10*time.Second, 5*time.Millisecond, "ciwatch does not hear of checks")
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
