package control_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/control"
	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const patience = 30 * time.Second

// replica is one that operators can tell something.
type replica struct {
	level slog.LevelVar
	line  *emergency.Line
	ended chan error
}

// run runs a replica of the dispatcher on a closed bus, under its own rights.
func run(t *testing.T, s *bustest.Server, instance string) *replica {
	t.Helper()
	b := s.Connect(t, events.ServiceDispatcher)
	r := &replica{ended: make(chan error, 1)}
	r.line = emergency.New(emergency.Options{
		Service: events.ServiceDispatcher, Instance: instance, Spool: emergency.NewSpool(t.TempDir()), Log: bustest.Logger(t), End: func(err error) { r.ended <- err },
		Publish: func(ctx context.Context, ev events.Event) error {
			_, err := b.PublishEvent(ctx, ev)
			return err
		},
	})
	require.NoError(t, control.Replica{
		Bus: b, Service: events.ServiceDispatcher, Instance: instance, Level: &r.level, Line: r.line, Log: bustest.Logger(t), Others: []string{"embedder"},
	}.Serve(t.Context()))
	return r
}

// gather asks all replicas of the dispatcher.
func gather(t *testing.T, b *bus.Bus, verb, body string) []bus.Reply {
	t.Helper()
	replies, err := b.Gather(t.Context(), bus.Msg{Subject: b.Subjects().Control(events.ServiceDispatcher, verb), Body: []byte(body)}, 2*time.Second)
	require.NoError(t, err)
	return replies
}

func TestEachReplicaAnswersForItself(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	one, two := run(t, s, "one"), run(t, s, "two")
	admin := s.Connect(t, permissions.Admin)
	levels := func(body string) map[string]string {
		got := map[string]string{}
		for _, r := range gather(t, admin, events.ControlLogLevel, body) {
			require.Nil(t, events.DecodeError(r.Header, r.Body))
			var reply events.LogLevelReply
			require.NoError(t, json.Unmarshal(r.Body, &reply))
			require.Equal(t, "dispatcher", reply.Service)
			got[reply.Instance] = reply.Before + ">" + reply.Level
		}
		return got
	}
	require.Equal(t, map[string]string{"one": "info>info", "two": "info>info"}, levels(""))
	require.Equal(t, map[string]string{"one": "info>debug", "two": "info>debug"}, levels(`{"level":"debug"}`))
	require.Equal(t, map[string]string{"two": "debug>warn"}, levels(`{"level":"warn","instance":"two"}`))
	require.Equal(t, map[string]string{"one": "debug>debug", "two": "warn>warn"}, levels(`{}`))
	require.Equal(t, slog.LevelDebug, one.level.Level())
	require.Equal(t, slog.LevelWarn, two.level.Level())
}

func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	r := run(t, s, "one")
	admin := s.Connect(t, permissions.Admin)
	for _, tt := range []struct{ verb, body, says string }{
		{events.ControlLogLevel, `{"level":"loud"}`, "level"},
		{events.ControlLogLevel, `[]`, "JSON"},
		{events.ControlLogLevel, strings.Repeat("x", 10<<10), "at most 8192"},
		{events.ControlShutdown, ``, "reason is missing"},
		{events.ControlShutdown, `{"reason":""}`, "reason is missing"},
		{events.ControlShutdown, `{"reason":"` + strings.Repeat("x", 1025) + `"}`, "1024"},
		{events.ControlShutdown, `{"reason":`, "JSON"},
	} {
		replies := gather(t, admin, tt.verb, tt.body)
		require.Len(t, replies, 1)
		err := events.DecodeError(replies[0].Header, replies[0].Body)
		require.NotNil(t, err, tt.body)
		require.Equal(t, events.CodeInvalidArgument, err.Code)
		require.ErrorContains(t, err, tt.says)
	}
	require.Empty(t, r.ended)
}

func TestShutdownAnswersWhenTheEventIsStored(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	one, two := run(t, s, "one"), run(t, s, "two")
	admin := s.Connect(t, permissions.Admin)
	replies := gather(t, admin, events.ControlShutdown, `{"reason":"node 2 is taken out","instance":"two"}`)
	require.Len(t, replies, 1)
	var reply events.ShutdownReply
	require.NoError(t, json.Unmarshal(replies[0].Body, &reply))
	require.Equal(t, events.ShutdownReply{
		Service: "dispatcher", Instance: "two", EventID: "shutdown-dispatcher-two", Stored: true, Others: []string{"embedder"},
	}, reply)
	m, err := admin.LastOn(t.Context(), admin.Subjects().StreamName(events.StreamEvents), admin.Subjects().Event(events.TypeSystemEmergencyShutdown))
	require.NoError(t, err)
	ev, err := events.FromMessage(admin.Subjects(), m.Subject, m.Header, m.Body, events.Stored{Stream: m.Stream, Sequence: m.Sequence, Time: m.Time})
	require.NoError(t, err)
	require.Equal(t, reply.EventID, ev.ID)
	select {
	case err := <-two.ended:
		require.Equal(t, lifecycle.ExitEmergency, lifecycle.ExitCode(err))
	case <-time.After(patience):
		require.Fail(t, "it does not end")
	}
	require.Empty(t, one.ended)
}

// The stream is away: the answer says so, and the event waits for the next start.
func TestShutdownWithoutAStream(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	r := run(t, s, "one")
	b := s.Connect(t, "operator")
	reply, err := b.Request(t.Context(), bus.Msg{Subject: b.Subjects().Control(events.ServiceDispatcher, events.ControlShutdown), Body: []byte(`{"reason":"r"}`)})
	require.NoError(t, err)
	var got events.ShutdownReply
	require.NoError(t, json.Unmarshal(reply.Body, &got))
	require.False(t, got.Stored)
	require.Error(t, <-r.ended)

	s.Provision(t)
	r.line.Replay(t.Context())
	m, err := b.LastOn(t.Context(), b.Subjects().StreamName(events.StreamEvents), b.Subjects().Event(events.TypeSystemEmergencyShutdown))
	require.NoError(t, err)
	require.Equal(t, []string{got.EventID}, m.Header[events.HeaderMsgID])
}

// The whole way of a process whose memory cannot be freed: both thresholds, and then its end.
func TestMemoryThatCannotBeFreed(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	r := run(t, s, "one")
	admin := s.Connect(t, permissions.Admin)
	heard := make(chan events.Event, 10)
	require.NoError(t, admin.Hear(t.Context(), admin.Subjects().Event(">"), func(m bus.Heard) {
		if ev, err := events.FromMessage(admin.Subjects(), m.Subject, m.Header, m.Body, events.Stored{}); err == nil {
			heard <- ev
		}
	}))
	held := make([]byte, 200<<20)
	for i := range held {
		held[i] = byte(i)
	}
	var parts memory.Parts
	parts.Holds("what the test holds", func() int64 { return int64(len(held)) })
	registry := prometheus.NewRegistry()
	m := control.Memory{
		Config: memory.Config{Limit: "128MiB", Warning: 80, Critical: 92, Grace: time.Minute}, Parts: &parts, Line: r.line, Metrics: registry, Log: bustest.Logger(t),
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var types, levels []string
	for range 3 {
		select {
		case ev := <-heard:
			types = append(types, ev.Type)
			if body, err := events.Decode[events.MemoryThresholdExceeded](ev); err == nil {
				levels = append(levels, body.Level)
				require.Equal(t, []events.MemoryConsumer{{Name: "what the test holds", Bytes: 200 << 20}}, body.TopConsumers)
			}
		case <-time.After(patience):
			require.Fail(t, "not all events come", "%v", types)
		}
	}
	require.ElementsMatch(t, []string{events.TypeMemoryThresholdExceeded, events.TypeMemoryThresholdExceeded, events.TypeSystemEmergencyShutdown}, types)
	require.Equal(t, []string{"warning", "critical"}, levels)
	require.NoError(t, <-done)
	require.ErrorContains(t, <-r.ended, "of the limit of 134217728 bytes are in use")
	require.NotEmpty(t, held)
}
