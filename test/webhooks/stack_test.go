package webhooks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// patience is how long is waited for something to go on; nothing takes it unless it fails.
const patience = process.Patience

// stack is a NATS server and replicas of the dispatcher, each a process of its own.
type stack struct {
	nats     *process.NATS
	replicas []*process.Process
	env      map[string]string
	nc       *nats.Conn
	js       jetstream.JetStream
	kills    []kill
}

// kill is a process that was killed.
type kill struct {
	at   time.Time // just before
	over time.Time // when another was there in its stead
	nats bool      // that was the NATS server
}

// String makes failures readable.
func (k kill) String() string {
	what := "a dispatcher"
	if k.nats {
		what = "the server"
	}
	return fmt.Sprintf("%s from %s to %s", what, k.at.Format(time.StampMilli), k.over.Format(time.StampMilli))
}

// startStack starts a provisioned server and n dispatchers. What a dispatcher that was killed held is handed out again after
// ackWait.
func startStack(t *testing.T, n int, ackWait time.Duration) *stack {
	t.Helper()
	s := &stack{nats: process.StartNATS(t, programs.Path(t, "nats-server"), nil)}
	provision := process.Start(t, programs.Path(t, "mlsdmctl"), "", map[string]string{"NATS_URL": s.nats.URL}, "provision")
	require.Zero(t, provision.Exit(), "%s%s", provision.Out, provision.Errs)
	var err error
	s.nc, err = nats.Connect(s.nats.URL, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.ReconnectBufSize(-1))
	require.NoError(t, err)
	t.Cleanup(s.nc.Close)
	s.js, err = jetstream.New(s.nc)
	require.NoError(t, err)
	for _, c := range events.Consumers() {
		if c.UsedBy == events.ServiceDispatcher {
			s.hurry(t, events.Subjects{}.StreamName(c.Stream), c.Name, ackWait)
		}
	}
	s.env = map[string]string{
		"NATS_URL": s.nats.URL, "MLSDM_ADMIN_ADDR": "off", "WEBHOOK_ALLOW_LOOPBACK": "true", "WEBHOOK_TEST_KEY": "a secret of the tests",
	}
	for range n {
		s.replicas = append(s.replicas, s.startReplica(t))
	}
	return s
}

func (s *stack) startReplica(t *testing.T) *process.Process {
	t.Helper()
	return process.Start(t, programs.Path(t, "dispatcher"), "", s.env)
}

// killReplica kills one of the dispatchers and starts another.
func (s *stack) killReplica(t *testing.T, i int) {
	t.Helper()
	k := kill{at: time.Now()}
	s.replicas[i].Kill()
	s.replicas[i] = s.startReplica(t)
	k.over = time.Now()
	s.kills = append(s.kills, k)
}

// killNATS kills the server and starts it on what it has left behind.
func (s *stack) killNATS(t *testing.T) {
	t.Helper()
	k := kill{at: time.Now(), nats: true}
	s.nats.Kill()
	s.nats.Start()
	k.over = time.Now()
	s.kills = append(s.kills, k)
}

// hurry sets after which time a consumer hands out again what a killed process held.
func (s *stack) hurry(t *testing.T, stream, name string, ackWait time.Duration) {
	t.Helper()
	ctx := within(t)
	consumer, err := s.js.Consumer(ctx, stream, name)
	require.NoError(t, err)
	cfg := consumer.CachedInfo().Config
	if cfg.AckWait == ackWait {
		return
	}
	cfg.AckWait = ackWait
	_, err = s.js.UpdateConsumer(ctx, stream, cfg)
	require.NoError(t, err)
}

// create makes an endpoint.
func (s *stack) create(t *testing.T, spec events.EndpointSpec) {
	t.Helper()
	spec.Signing = []events.EndpointSigning{{Key: "env:WEBHOOK_TEST_KEY"}}
	body, err := json.Marshal(events.EndpointCreateRequest{Endpoint: spec})
	require.NoError(t, err)
	var reply *nats.Msg
	eventually(t, "an answer of a dispatcher", func() bool {
		reply, err = s.nc.Request(events.Subjects{}.Interactive("", events.OpEndpointsCreate), body, 2*time.Second)
		return err == nil
	})
	require.Empty(t, reply.Header.Get(events.HeaderErrorCode), "%s", reply.Data)
}

// publish publishes one event until it is acked.
func (s *stack) publish(ctx context.Context, eventType, id string, data []byte) error {
	msg := nats.NewMsg(events.Subjects{}.Event(eventType))
	msg.Header.Set(events.HeaderMsgID, id)
	msg.Data = data
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second) // what was sent to a dead server is not answered
		_, err := s.js.PublishMsg(try, msg, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// routed waits until every event is routed.
func (s *stack) routed(t *testing.T) {
	t.Helper()
	eventually(t, "the end of the routing", func() bool {
		stream, err := s.js.Stream(within(t), events.Subjects{}.StreamName(events.StreamEvents))
		require.NoError(t, err)
		router, err := stream.Consumer(within(t), events.ConsumerRouter)
		require.NoError(t, err)
		// A consumer's count of pending messages lags behind the stream.
		info := router.CachedInfo()
		return info.Delivered.Stream >= stream.CachedInfo().State.LastSeq && info.NumAckPending == 0
	})
}

// within is the test's context with a bound.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until something is true, looking often.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick, timeout := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-timeout:
			require.Fail(t, "it does not happen", what)
		}
	}
}
