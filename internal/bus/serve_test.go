package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// serve runs a service that answers mlsdm.embed, until the test ends or stop is called.
func serve(t *testing.T, b *bus.Bus, op bus.Operation) (stop func()) {
	t.Helper()
	if op.Name == "" {
		op.Name = events.OpEmbed
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- b.Serve(ctx, bus.Service{Name: "mlsdm-test", Version: "1.2.3", Operations: []bus.Operation{op}, DrainTimeout: time.Second})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	require.Eventually(t, func() bool {
		_, err := b.Request(t.Context(), bus.Msg{Subject: "$SRV.PING.mlsdm-test"})
		return err == nil
	}, 5*time.Second, time.Millisecond)
	return stop
}

func TestServeAnswersUnderBothSubjects(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	serve(t, b, bus.Operation{Handler: func(_ context.Context, r *bus.Request) error {
		return r.Respond([]byte(r.Caller + ":" + string(r.Body)))
	}})
	for subject, want := range map[string]string{"mlsdm.embed": "default:hi", "mlsdm.as.ann.embed": "ann:hi"} {
		reply, err := b.Request(t.Context(), bus.Msg{Subject: subject, Body: []byte("hi")})
		require.NoError(t, err)
		require.Equal(t, want, string(reply.Body))
	}
	_, err := b.Request(t.Context(), bus.Msg{Subject: "mlsdm.generate"})
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err), "nobody serves it")
}

func TestServeAnswersEveryFailure(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	serve(t, b, bus.Operation{Timeout: 100 * time.Millisecond, Handler: func(ctx context.Context, r *bus.Request) error {
		switch string(r.Body) {
		case "coded":
			return &events.Error{Code: events.CodeRateLimited, Message: "slow\ndown", Retryable: true, RetryAfter: 2 * time.Second, Provider: "openai"}
		case "uncoded":
			return errors.New("the canary sings")
		case "panic":
			panic("the canary sings")
		case "silent":
			return nil
		case "slow":
			<-ctx.Done()
			return ctx.Err()
		case "huge":
			return r.Respond(make([]byte, 9<<20))
		default:
			return r.Respond(r.Body)
		}
	}})
	for body, want := range map[string]events.Code{
		"coded": events.CodeRateLimited, "uncoded": events.CodeInternal, "panic": events.CodeInternal, "silent": events.CodeInternal,
		"slow": events.CodeDeadlineExceeded, "huge": events.CodeInvalidArgument,
	} {
		_, err := b.Request(t.Context(), bus.Msg{Subject: "mlsdm.embed", Body: []byte(body)})
		require.Equal(t, want, events.CodeOf(err), body)
		require.NotContains(t, err.Error(), "canary", "the cause stays in the log")
		if body == "coded" {
			coded := events.AsError(err)
			require.Equal(t, "openai", coded.Provider)
			require.Equal(t, 2*time.Second, coded.RetryAfter)
		}
	}
	for header, want := range map[string]events.Code{
		"Mlsdm-Timeout-Ms: abc":                  events.CodeInvalidArgument,
		"mlsdm-timeout-ms: -1":                   events.CodeInvalidArgument,
		"Mlsdm-Deadline: tomorrow":               events.CodeInvalidArgument,
		"Mlsdm-Deadline: 2020-01-01T00:00:00.0Z": events.CodeDeadlineExceeded,
	} {
		name, value, _ := strings.Cut(header, ": ")
		_, err := b.Request(t.Context(), bus.Msg{Subject: "mlsdm.embed", Body: []byte("ok"), Header: map[string][]string{name: {value}}})
		require.Equal(t, want, events.CodeOf(err), header)
	}
}

func TestServeRunsSideBySideAndSaysWhenItIsFull(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	begun, finish := make(chan struct{}, 100), make(chan struct{})
	serve(t, s.Connect(t, "test"), bus.Operation{Workers: 2, Handler: func(_ context.Context, r *bus.Request) error {
		begun <- struct{}{}
		<-finish
		return r.Respond([]byte("done"))
	}})
	nc := s.Conn(t)
	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	const places = 2 + 4*2
	for range places + 1 {
		require.NoError(t, nc.PublishRequest("mlsdm.embed", inbox, []byte("x")))
	}
	msg, err := answers.NextMsg(10 * time.Second)
	require.NoError(t, err)
	full := events.DecodeError(msg.Header, msg.Data)
	require.Equal(t, events.CodeUnavailable, full.Code, "the one that is too many is answered first")
	require.Positive(t, full.RetryAfter)
	<-begun
	<-begun
	require.Empty(t, begun, "two workers")
	close(finish)
	for range places {
		msg, err := answers.NextMsg(10 * time.Second)
		require.NoError(t, err)
		require.Equal(t, "done", string(msg.Data))
	}
}

func TestServeStreamsAndEndsWithAnEmptyMessage(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: func(_ context.Context, r *bus.Request) error {
		if err := r.Send([]byte("a")); err != nil {
			return err
		}
		if string(r.Body) == "break" {
			return events.Errorf(events.CodeUnavailable, "the provider went away")
		}
		return r.Send([]byte("b"))
	}})
	nc := s.Conn(t)
	read := func(body string) (chunks []string, last *nats.Msg) {
		inbox := nc.NewInbox()
		sub, err := nc.SubscribeSync(inbox)
		require.NoError(t, err)
		require.NoError(t, nc.PublishRequest("mlsdm.generate", inbox, []byte(body)))
		for {
			msg, err := sub.NextMsgWithContext(t.Context())
			require.NoError(t, err)
			if len(msg.Data) == 0 || msg.Header.Get(events.HeaderErrorCode) != "" {
				return chunks, msg
			}
			chunks = append(chunks, string(msg.Data))
		}
	}
	chunks, last := read("whole")
	require.Equal(t, []string{"a", "b"}, chunks)
	require.Empty(t, last.Header.Get(events.HeaderErrorCode))
	chunks, last = read("break")
	require.Equal(t, []string{"a"}, chunks)
	require.Equal(t, "unavailable", last.Header.Get(events.HeaderErrorCode))
}

func TestServeFinishesWhatItHasTaken(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	begun, finish := make(chan struct{}), make(chan struct{})
	stop := serve(t, s.Connect(t, "server"), bus.Operation{Handler: func(_ context.Context, r *bus.Request) error {
		close(begun)
		<-finish
		return r.Respond([]byte("late but here"))
	}})
	answer := make(chan error, 1)
	go func() {
		_, err := b.Request(context.Background(), bus.Msg{Subject: "mlsdm.embed"})
		answer <- err
	}()
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	require.Eventually(t, func() bool {
		_, err := b.Request(t.Context(), bus.Msg{Subject: "$SRV.PING.mlsdm-test"})
		return events.CodeOf(err) == events.CodeUnavailable
	}, 5*time.Second, time.Millisecond, "the intake has ended")
	close(finish)
	require.NoError(t, <-answer)
	<-stopped
}

func TestServeSpeaksTheMicroProtocol(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	serve(t, b, bus.Operation{Handler: func(_ context.Context, r *bus.Request) error {
		if len(r.Body) == 0 {
			return events.Errorf(events.CodeInvalidArgument, "empty")
		}
		return r.Respond(r.Body)
	}})
	_, err := b.Request(t.Context(), bus.Msg{Subject: "mlsdm.embed", Body: []byte("x")})
	require.NoError(t, err)
	_, err = b.Request(t.Context(), bus.Msg{Subject: "mlsdm.embed"})
	require.Error(t, err)
	require.NoError(t, s.Conn(t).Publish("mlsdm.embed", []byte("nobody waits"))) // not counted, not worked on

	ask := func(verb string, into any) {
		reply, err := b.Request(t.Context(), bus.Msg{Subject: "$SRV." + verb})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(reply.Body, into))
	}
	var ping micro.Ping
	ask("PING", &ping)
	require.Equal(t, micro.PingResponseType, ping.Type)
	require.Equal(t, "mlsdm-test", ping.Name)
	var info micro.Info
	ask("INFO", &info)
	require.Equal(t, []string{"mlsdm.embed", "mlsdm.as.*.embed"}, []string{info.Endpoints[0].Subject, info.Endpoints[1].Subject})
	require.Eventually(t, func() bool {
		var stats micro.Stats
		ask("STATS."+ping.Name+"."+ping.ID, &stats)
		e := stats.Endpoints[0]
		return e.NumRequests == 2 && e.NumErrors == 1 && e.LastError == "invalid_argument:empty" && e.ProcessingTime > 0
	}, 5*time.Second, time.Millisecond)
}

func TestKV(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	kv, err := b.KV(t.Context(), events.BucketCI)
	require.NoError(t, err)
	_, _, err = kv.Get(t.Context(), "a")
	require.ErrorIs(t, err, bus.ErrNotFound)
	rev, err := kv.Create(t.Context(), "a", []byte("1"))
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), "a", []byte("2"))
	require.ErrorIs(t, err, bus.ErrConflict)
	_, err = kv.Update(t.Context(), "a", []byte("2"), rev)
	require.NoError(t, err)
	_, err = kv.Update(t.Context(), "a", []byte("3"), rev)
	require.ErrorIs(t, err, bus.ErrConflict)
	value, _, err := kv.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "2", string(value))
	keys, err := kv.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, keys)
}
