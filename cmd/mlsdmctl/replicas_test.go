package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/control"
	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// obedient runs a replica of a service that is told what to do, and returns why it ends.
func obedient(t *testing.T, s *bustest.Server, service, instance string, others ...string) <-chan error {
	t.Helper()
	b := s.Connect(t, service)
	ended := make(chan error, 1)
	require.NoError(t, control.Replica{
		Bus: b, Service: service, Instance: instance, Level: new(slog.LevelVar), Log: bustest.Logger(t), Others: others,
		Line: emergency.New(emergency.Options{
			Service: service, Instance: instance, Spool: emergency.NewSpool(t.TempDir()), Log: bustest.Logger(t), End: func(err error) { ended <- err },
			Publish: func(ctx context.Context, ev events.Event) error {
				_, err := b.PublishEvent(ctx, ev)
				return err
			},
		}),
	}.Serve(t.Context()))
	return ended
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	_, errs, code := atServer(t.Context(), s, "", "log-level")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "nobody answers")
	obedient(t, s, events.ServiceDispatcher, "one")
	obedient(t, s, events.ServiceDispatcher, "two")
	obedient(t, s, events.ServiceEmbedder, "three")

	out, errs, code := atServer(t.Context(), s, "", "log-level")
	require.Equal(t, 0, code, errs)
	require.Equal(t, "SERVICE     INSTANCE  LEVEL\ndispatcher  one       info\ndispatcher  two       info\nembedder    three     info\n", out)
	out, errs, code = atServer(t.Context(), s, "", "log-level", "dispatcher", "debug", "--instance", "two")
	require.Equal(t, 0, code, errs)
	require.Equal(t, "SERVICE     INSTANCE  LEVEL  BEFORE\ndispatcher  two       debug  info\n", out)
	out, errs, code = atServer(t.Context(), s, "", "log-level", "all", "error", "--json")
	require.Equal(t, 0, code, errs)
	var replies []events.LogLevelReply
	require.NoError(t, json.Unmarshal([]byte(out), &replies))
	require.Equal(t, []events.LogLevelReply{
		{Service: "dispatcher", Instance: "one", Level: "error", Before: "info"},
		{Service: "dispatcher", Instance: "two", Level: "error", Before: "debug"},
		{Service: "embedder", Instance: "three", Level: "error", Before: "info"},
	}, replies)

	for _, tt := range []struct {
		says string
		code int
		args []string
	}{
		{"no replica four answers", 1, []string{"dispatcher", "debug", "--instance", "four"}},
		{"is the service running?", 1, []string{"secretd"}},
		{"must be one of", 2, []string{"dispatcher", "loud"}},
		{"must be one of", 2, []string{"debug"}},
	} {
		_, errs, code := atServer(t.Context(), s, "", append([]string{"log-level"}, tt.args...)...)
		require.Equal(t, tt.code, code, errs)
		require.Contains(t, errs, tt.says)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	one, two := obedient(t, s, events.ServiceDispatcher, "one"), obedient(t, s, events.ServiceDispatcher, "two", "embedder", "secretd")
	for _, tt := range []struct {
		says string
		code int
		args []string
	}{
		{"--reason", 2, []string{"dispatcher", "--yes"}},
		{"reason is missing", 2, []string{"dispatcher", "--yes", "--reason", " "}},
		{"must be one of", 2, []string{"nats", "--yes", "--reason", "r"}},
		{"say --yes", 2, []string{"dispatcher", "--reason", "r"}},
		{"there is no replica three of dispatcher, but one, two", 1, []string{"dispatcher", "--yes", "--reason", "r", "--instance", "three"}},
		{"is the service running?", 1, []string{"embedder", "--yes", "--reason", "r"}},
	} {
		_, errs, code := atServer(t.Context(), s, "", append([]string{"shutdown"}, tt.args...)...)
		require.Equal(t, tt.code, code, errs)
		require.Contains(t, errs, tt.says)
	}
	require.Empty(t, one)
	require.Empty(t, two)

	out, errs, code := atServer(t.Context(), s, "", "shutdown", "dispatcher", "--yes", "--reason", "node 2 is taken out", "--instance", "two")
	require.Equal(t, 0, code, errs)
	require.Equal(t, "dispatcher (two) goes down; its event is on the stream: shutdown-dispatcher-two; with it, in the same process: embedder, secretd\n", out)
	require.ErrorContains(t, itsEnd(t, two), "node 2 is taken out")
	require.Empty(t, one)

	out, errs, code = atServer(t.Context(), s, "", "shutdown", "dispatcher", "--yes", "--reason", "all of it", "--instance", "one", "--json")
	require.Equal(t, 0, code, errs)
	var replies []events.ShutdownReply
	require.NoError(t, json.Unmarshal([]byte(out), &replies))
	require.Equal(t, []events.ShutdownReply{{Service: "dispatcher", Instance: "one", EventID: "shutdown-dispatcher-one", Stored: true}}, replies)
	require.Error(t, itsEnd(t, one))
}

// itsEnd returns why a replica ends.
func itsEnd(t *testing.T, why <-chan error) error {
	t.Helper()
	select {
	case err := <-why:
		return err
	case <-time.After(30 * time.Second):
		require.Fail(t, "it does not end")
		return nil
	}
}
