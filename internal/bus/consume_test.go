package bus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func withUser(user, password string) func(*server.Options) {
	return func(o *server.Options) { o.Username, o.Password = user, password }
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// embedConsumer is the configuration of one of the catalogue's consumers.
func embedConsumer(b *bus.Bus) bus.ConsumeConfig {
	return bus.ConsumeConfig{
		Stream: b.Subjects().StreamName(events.StreamRequests), Durable: events.ConsumerEmbedder, Workers: 4,
		Backoff:     retry.Backoff{Base: time.Millisecond, Cap: time.Millisecond},
		DeadSubject: func(*bus.Message) string { return b.Subjects().DeadRequest(events.KindEmbed) },
	}
}

// start runs Consume until the test ends or stop is called; stop waits for it.
func start(t *testing.T, b *bus.Bus, cfg bus.ConsumeConfig, handler func(context.Context, *bus.Message) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Consume(ctx, cfg, handler) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

func publishN(t *testing.T, b *bus.Bus, n int) {
	t.Helper()
	msgs := make([]bus.Msg, n)
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: b.Subjects().Request("", events.KindEmbed), ID: fmt.Sprint("id-", i), Body: []byte(`{}`)}
	}
	require.NoError(t, b.PublishAll(t.Context(), msgs))
}

func consumerInfo(t *testing.T, s *bustest.Server) *jetstream.ConsumerInfo {
	t.Helper()
	nc := s.Conn(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	c, err := js.Consumer(t.Context(), "MLSDM_REQUESTS", events.ConsumerEmbedder)
	require.NoError(t, err)
	info, err := c.Info(t.Context())
	require.NoError(t, err)
	return info
}

func TestConsumeHandlesEverythingOnce(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 64} {
		s := bustest.Start(t)
		b := s.Connect(t, "test")
		const n = 2000
		publishN(t, b, n)
		var seen sync.Map
		var count atomic.Int64
		all := make(chan struct{})
		cfg := embedConsumer(b)
		cfg.Prefetch = prefetch
		stop := start(t, b, cfg, func(_ context.Context, m *bus.Message) error {
			if _, again := seen.LoadOrStore(m.Sequence, true); again {
				t.Errorf("message %d came twice", m.Sequence)
			}
			if count.Add(1) == n {
				close(all)
			}
			return nil
		})
		<-all
		stop()
		require.Eventually(t, func() bool { // the server has all acks, and works through them
			info := consumerInfo(t, s)
			return info.NumAckPending == 0 && info.NumPending == 0
		}, 5*time.Second, time.Millisecond)
	}
}

func TestConsumeDrainStrandsNothing(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	const n = 200
	publishN(t, b, n)
	begun, finish := make(chan struct{}, n), make(chan struct{})
	var handled atomic.Int64
	cfg := embedConsumer(b)
	cfg.Prefetch = 50
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() {
		stopped <- b.Consume(ctx, cfg, func(context.Context, *bus.Message) error {
			begun <- struct{}{}
			<-finish
			handled.Add(1)
			return nil
		})
	}()
	for range cfg.Workers {
		<-begun
	}
	stop()
	require.Eventually(t, func() bool { return consumerInfo(t, s).NumWaiting == 0 }, 30*time.Second, time.Millisecond)
	close(finish)
	require.NoError(t, <-stopped) // and not a word about flushing or closing: everything has been told to the server
	require.Equal(t, int64(cfg.Workers), handled.Load(), "what only waited was given back")

	another := make(chan uint64, n)
	start(t, s.Connect(t, "another"), cfg, func(_ context.Context, m *bus.Message) error { another <- m.Sequence; return nil })
	deadline := time.After(10 * time.Second) // far below the ack timeout
	for range n - cfg.Workers {
		select {
		case <-another:
		case <-deadline:
			t.Fatal("messages wait for their ack timeout")
		}
	}
}

func TestConsumeResultTable(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	nc := s.Conn(t)
	dead, err := nc.SubscribeSync("mlsdm.deadletters.>")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	attempts := make(chan int, 20)
	var gaveUp atomic.Int64
	cfg := embedConsumer(b)
	cfg.MaxAttempts = 3
	cfg.GiveUp = func(_ context.Context, _ *bus.Message, cause error) error {
		if gaveUp.Add(1) == 1 {
			return errors.New("the answer could not be sent")
		}
		require.Error(t, cause)
		return nil
	}
	start(t, b, cfg, func(_ context.Context, m *bus.Message) error {
		attempts <- m.Attempt
		switch string(m.Body) {
		case "permanent":
			return retry.Permanent(events.Errorf(events.CodeInvalidArgument, "bad\nthing"))
		case "later":
			if m.Attempt == 1 {
				return retry.After(errors.New("busy"), 50*time.Millisecond)
			}
			return nil
		case "panic":
			panic("boom")
		default:
			return errors.New("fails for ever")
		}
	})
	publish := func(body string) {
		_, err := b.Publish(t.Context(), bus.Msg{
			Subject: b.Subjects().Request("ann", events.KindEmbed), ID: "id-" + body, Body: []byte(body), Header: map[string][]string{"X-Mine": {"kept"}},
		})
		require.NoError(t, err)
	}

	publish("permanent") // given up at once; the first GiveUp fails, so it is tried again first
	msg, err := dead.NextMsgWithContext(t.Context())
	require.NoError(t, err)
	require.Equal(t, "mlsdm.deadletters.requests.embed", msg.Subject)
	require.Equal(t, "permanent", string(msg.Data))
	require.Equal(t, "kept", msg.Header.Get("X-Mine"))
	require.Equal(t, "invalid_argument", msg.Header.Get(events.HeaderDeadCode))
	require.Contains(t, msg.Header.Get(events.HeaderDeadReason), "bad thing")
	require.Equal(t, "id-permanent", msg.Header.Get(events.HeaderDeadMsgID))
	require.Equal(t, "mlsdm.as.ann.requests.embed", msg.Header.Get(events.HeaderDeadSubject))
	require.Equal(t, 1, <-attempts)
	require.Equal(t, 2, <-attempts)

	publish("later")
	require.Equal(t, 1, <-attempts)
	require.Equal(t, 2, <-attempts)

	for _, body := range []string{"panic", "fails"} {
		publish(body)
		for n := 1; n <= 3; n++ {
			require.Equal(t, n, <-attempts, body)
		}
		msg, err = dead.NextMsgWithContext(t.Context())
		require.NoError(t, err)
		require.Equal(t, body, string(msg.Data))
		require.Equal(t, "3", msg.Header.Get(events.HeaderDeadAttempts))
	}
}

func TestConsumeKeepsLongWorkAlive(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	// An AckWait shorter than the real one, so that the test need not take half a minute, and long enough for a machine
	// that is busy with other tests.
	spec, found, err := b.Consumer(t.Context(), "MLSDM_REQUESTS", events.ConsumerEmbedder)
	require.NoError(t, err)
	require.True(t, found)
	spec.AckWait = 5 * time.Second
	require.NoError(t, b.ApplyConsumer(t.Context(), spec))
	publishN(t, b, 1)
	var calls atomic.Int64
	done := make(chan struct{})
	stop := start(t, b, embedConsumer(b), func(ctx context.Context, _ *bus.Message) error {
		calls.Add(1)
		select {
		case <-time.After(8 * time.Second):
		case <-ctx.Done():
		}
		close(done)
		return nil
	})
	<-done
	stop()
	require.Equal(t, int64(1), calls.Load())
	require.Eventually(t, func() bool { return consumerInfo(t, s).NumAckPending == 0 }, 10*time.Second, 10*time.Millisecond)
}

func TestConsumeCancelsWhatOutlivesTheDrain(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	publishN(t, b, 1)
	begun := make(chan struct{})
	cfg := embedConsumer(b)
	cfg.DrainTimeout = 50 * time.Millisecond
	stop := start(t, b, cfg, func(ctx context.Context, _ *bus.Message) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	})
	<-begun
	stop()
	again := make(chan int, 1)
	start(t, b, embedConsumer(b), func(_ context.Context, m *bus.Message) error { again <- m.Attempt; return nil })
	require.Equal(t, 2, <-again, "given back at once, not after its ack timeout")
}

func TestConsumeSurvivesARestartOfTheServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	seen := make(chan uint64, 10)
	start(t, b, embedConsumer(b), func(_ context.Context, m *bus.Message) error { seen <- m.Sequence; return nil })
	publishN(t, b, 1)
	require.Equal(t, uint64(1), <-seen)
	s.Restart(t)
	require.Eventually(t, func() bool { return b.Connected() == nil }, 20*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		_, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Request("", events.KindEmbed), ID: "after", Body: []byte(`{}`)})
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, uint64(2), <-seen)
}

func TestConsumeNamesAMissingConsumer(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Bare()).Connect(t, "test")
	err := b.Consume(t.Context(), embedConsumer(b), nil)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	require.ErrorContains(t, err, "mlsdmctl provision")
}
