package dispatcher_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ask waits until the service answers, and returns its answer.
func ask(t testing.TB, b *bus.Bus, subject, body string) (bus.Reply, error) {
	t.Helper()
	var reply bus.Reply
	var err error
	require.Eventually(t, func() bool {
		reply, err = b.Request(t.Context(), bus.Msg{Subject: subject, Body: []byte(body)})
		return events.CodeOf(err) != events.CodeUnavailable
	}, patience, 1e7)
	return reply, err
}

func TestEndpointsAreShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	cfg := config("https://example.com/hook?token=" + testSecret)
	cfg.Events = []string{"ci.*"}
	run(t, srv, cfg)
	b := srv.Connect(t, "asker")
	want := events.Endpoint{
		EndpointSpec: events.EndpointSpec{
			ID: "default", URL: "https://example.com/hook?token=***", Events: []string{"ci.*"}, Format: events.FormatStandard,
			Retry: cfg.Retry, Timeout: "10s", BodySignature: true,
		},
		Source: "environment", Status: events.EndpointStatus{State: events.EndpointActive},
	}
	for _, prefix := range []string{"mlsdm.", "mlsdm.as.alice."} {
		for _, body := range []string{"", "{}"} {
			reply, err := ask(t, b, prefix+"webhooks.endpoints.list", body)
			require.NoError(t, err)
			require.NotContains(t, string(reply.Body), testSecret)
			require.Equal(t, events.EndpointsList{Endpoints: []events.Endpoint{want}}, decode[events.EndpointsList](t, reply.Body))
		}
		reply, err := ask(t, b, prefix+"webhooks.endpoints.get", `{"id":"default"}`)
		require.NoError(t, err)
		require.Equal(t, want, decode[events.Endpoint](t, reply.Body))
	}
}

func TestBadRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	run(t, srv, config("https://example.com"))
	b := srv.Connect(t, "asker")
	for _, tt := range []struct {
		operation, body string
		want            events.Code
	}{
		{"get", `{"id":"other"}`, events.CodeNotFound},
		{"get", `{}`, events.CodeInvalidArgument},
		{"get", ``, events.CodeInvalidArgument},
		{"get", `{"id":7}`, events.CodeInvalidArgument},
		{"get", `{"id":"a.b"}`, events.CodeInvalidArgument},
		{"get", `rubbish`, events.CodeInvalidArgument},
		{"get", "\xff", events.CodeInvalidArgument},
		{"list", `rubbish`, events.CodeInvalidArgument},
		{"list", `[]`, events.CodeInvalidArgument},
	} {
		_, err := ask(t, b, "mlsdm.webhooks.endpoints."+tt.operation, tt.body)
		require.Equal(t, tt.want, events.CodeOf(err), "%s %s", tt.operation, tt.body)
	}
}

// TestAMisspeltReplayReplaysNothing: what was meant to choose or to count only would otherwise be taken for "all of it".
func TestAMisspeltReplayReplaysNothing(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	run(t, srv, config("https://example.com"))
	b := srv.Connect(t, "asker")
	for _, body := range []string{
		`{"replay_id":"r","dryrun":true}`, `{"replay_id":"r","Dry_Run":true}`, `{"replay_id":"r","endpoint":"shop"}`,
		`{"replay_id":"r","endpoint_id":"shop","endpoint_id":""}`,
	} {
		_, err := ask(t, b, "mlsdm.webhooks.deliveries.replay", body)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), body)
	}
}

// TestIdleWithoutAnEndpoint: without an endpoint it answers, and what an earlier configuration left behind goes to dead
// letters, from where it can be replayed.
func TestIdleWithoutAnEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	cfg := config("")
	cfg.Secret = secret.Value{}
	dead := listen(t, srv, "mlsdm.deadletters.deliveries.endpoint.default")
	r := run(t, srv, cfg)
	reply, err := ask(t, r.bus, "mlsdm.webhooks.endpoints.list", "")
	require.NoError(t, err)
	require.JSONEq(t, `{"endpoints":[]}`, string(reply.Body))
	publish(t, r.bus, "custom.x", "nobody wants it")
	require.NoError(t, srv.Conn(t).Publish("mlsdm.deliveries.ready.default", []byte(`{"specversion":"1.0","id":"left","source":"/x","type":"custom.x"}`)))
	require.Contains(t, dead().value(events.HeaderDeadReason), "there is no endpoint")
	settled(t, srv)
	r.stop()

	to := newReceiver(t, nil)
	r = run(t, srv, config(to.url))
	var replayed events.ReplayReply
	reply, err = ask(t, r.bus, "mlsdm.webhooks.deliveries.replay", `{"replay_id":"again"}`)
	require.NoError(t, err)
	replayed = decode[events.ReplayReply](t, reply.Body)
	require.Equal(t, 1, replayed.Replayed)
	require.Equal(t, "left", to.next(t).id)
	require.Empty(t, to.hits)
}

func TestServiceIsFound(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	r := run(t, srv, config("https://example.com"))
	_, err := ask(t, r.bus, "mlsdm.webhooks.endpoints.list", "")
	require.NoError(t, err)
	reply, err := ask(t, r.bus, "$SRV.PING.mlsdm-dispatcher", "")
	require.NoError(t, err)
	require.Contains(t, string(reply.Body), `"1.2.3"`)
}
