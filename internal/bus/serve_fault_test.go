package bus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

func TestServeAnswersOnceWhateverTheHandlerDoes(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	late, tooLate := make(chan struct{}), make(chan error, 1)
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: func(_ context.Context, r *bus.Request) error {
		switch string(r.Body) {
		case "twice":
			require.NoError(t, r.Respond([]byte("first")))
			require.Error(t, r.Respond([]byte("second")))
			require.Error(t, r.Send([]byte("third")))
		case "late":
			go func() {
				<-late
				tooLate <- r.Respond([]byte("late"))
			}()
		case "failed after all":
			require.NoError(t, r.Respond([]byte("first")))
			return events.Errorf(events.CodeInternal, "oh")
		case "panic in a stream":
			require.NoError(t, r.Send([]byte("first")))
			panic("boom")
		}
		return nil
	}})
	nc := s.Conn(t)
	for body, want := range map[string]struct{ data, code string }{
		"twice":             {"first", ""},
		"failed after all":  {"first", ""},
		"late":              {"", "internal"},
		"panic in a stream": {"first", "internal"},
	} {
		inbox := nc.NewInbox()
		sub, err := nc.SubscribeSync(inbox)
		require.NoError(t, err)
		require.NoError(t, nc.PublishRequest("mlsdm.generate", inbox, []byte(body)))
		if want.data != "" {
			msg, err := sub.NextMsgWithContext(t.Context())
			require.NoError(t, err)
			require.Equal(t, want.data, string(msg.Data), body)
		}
		if want.code != "" {
			msg, err := sub.NextMsgWithContext(t.Context())
			require.NoError(t, err)
			require.Equal(t, want.code, msg.Header.Get(events.HeaderErrorCode), body)
		}
		if body == "late" {
			close(late)
			require.Error(t, <-tooLate)
		}
		_, err = sub.NextMsg(50 * time.Millisecond)
		require.ErrorIs(t, err, nats.ErrTimeout, "%s: and no more", body)
	}
}

func TestServeAnswersEveryOneOfManyLargeRequests(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Configure(func(o *server.Options) { o.MaxPending = 1 << 30 })) // it is the client that is tried
	hold := make(chan struct{})
	serve(t, s.Connect(t, "server"), bus.Operation{Workers: 16, Handler: func(_ context.Context, r *bus.Request) error {
		<-hold
		return r.Respond([]byte("ok"))
	}})
	const n = 36 // of 8 MB: more than may wait in memory
	nc := s.Conn(t)
	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	body := make([]byte, 8<<20)
	for range n {
		require.NoError(t, nc.PublishRequest("mlsdm.embed", inbox, body))
	}
	codes := map[string]int{}
	for i := range n {
		if i == n-32 {
			close(hold)
		}
		msg, err := answers.NextMsg(20 * time.Second)
		require.NoError(t, err, "%d of %d were answered: %v", i, n, codes)
		codes[msg.Header.Get(events.HeaderErrorCode)]++
	}
	require.Equal(t, map[string]int{"": 32, "unavailable": n - 32}, codes)
}

func TestServeTellsCallersThatItStops(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	begun := make(chan struct{})
	stop := serve(t, s.Connect(t, "server"), bus.Operation{Handler: func(ctx context.Context, _ *bus.Request) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}})
	answer := make(chan error, 1)
	go func() {
		_, err := b.Request(context.Background(), bus.Msg{Subject: "mlsdm.embed"})
		answer <- err
	}()
	<-begun
	stop()
	err := <-answer
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err), "the caller has canceled nothing")
	require.True(t, events.AsError(err).Retryable)
}

func TestServeStopsWithoutAServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	stop := serve(t, b, bus.Operation{Handler: func(context.Context, *bus.Request) error { return nil }})
	s.Shutdown()
	s.WaitForShutdown()
	require.Eventually(t, func() bool { return b.Connected() != nil }, 30*time.Second, time.Millisecond)
	begun := time.Now()
	stop() // and no error
	require.Less(t, time.Since(begun), 15*time.Second)
}

func TestServeEndsWhenTheConnectionIsClosed(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "server")
	begun, ended, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- b.Serve(context.Background(), bus.Service{Name: "mlsdm-test", Version: "1.0.0", Operations: []bus.Operation{{
			Name: events.OpEmbed, Handler: func(ctx context.Context, _ *bus.Request) error {
				close(begun)
				<-ctx.Done()
				close(ended)
				return ctx.Err()
			},
		}}})
	}()
	nc := s.Conn(t)
	require.Eventually(t, func() bool {
		_, err := nc.Request("$SRV.PING.mlsdm-test", nil, time.Second)
		return err == nil
	}, 5*time.Second, time.Millisecond)
	require.NoError(t, nc.PublishRequest("mlsdm.embed", nc.NewInbox(), nil))
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, b.Close(gone))
	require.Equal(t, events.CodeUnavailable, events.CodeOf(<-done))
	<-ended
}

func TestServeKeepsInstancesApart(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	for range 2 {
		serve(t, s.Connect(t, "server"), bus.Operation{Handler: func(_ context.Context, r *bus.Request) error { return r.Respond(r.Body) }})
	}
	nc := s.Conn(t)
	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	seen := map[string]bool{}
	require.Eventually(t, func() bool { // who was not ready yet did not hear the first question
		require.NoError(t, nc.PublishRequest(micro.APIPrefix+".PING.mlsdm-test", inbox, nil))
		for len(seen) < 2 {
			msg, err := answers.NextMsg(time.Second)
			if err != nil {
				break
			}
			seen[string(msg.Data)] = true
		}
		return len(seen) == 2
	}, 30*time.Second, time.Millisecond)
}

// The nats tool is what people look at services with.
func TestServeIsUnderstoodByTheNatsTool(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "server")
	serve(t, b, bus.Operation{Handler: func(_ context.Context, r *bus.Request) error { return r.Respond(r.Body) }})
	var calls sync.WaitGroup
	for i := range 10 {
		calls.Go(func() {
			if _, err := b.Request(t.Context(), bus.Msg{Subject: "mlsdm.embed", Body: []byte("x")}); err != nil {
				t.Error(i, err)
			}
		})
	}
	calls.Wait()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"ls"}, "mlsdm-test"},
		{[]string{"info", "mlsdm-test"}, "mlsdm.as.*.embed"},
		{[]string{"stats", "mlsdm-test"}, "10"},
		{[]string{"ping", "mlsdm-test"}, "mlsdm-test"},
	} {
		out := natscli.Run(t, s.URL(), append([]string{"micro"}, c.args...)...)
		require.Contains(t, out, c.want, fmt.Sprint(c.args))
	}
}
