package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ackWait changes the ack timeout of the embedder's consumer.
func ackWait(t *testing.T, b *bus.Bus, d time.Duration) {
	t.Helper()
	spec, found, err := b.Consumer(t.Context(), "MLSDM_REQUESTS", events.ConsumerEmbedder)
	require.NoError(t, err)
	require.True(t, found)
	spec.AckWait = d
	require.NoError(t, b.ApplyConsumer(t.Context(), spec))
}

// requests returns a JetStream context and the stream of requests, past the bus.
func requests(t *testing.T, s *bustest.Server) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(s.Conn(t))
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "MLSDM_REQUESTS")
	require.NoError(t, err)
	return stream
}

func TestConsumeKeepsWhatWaitsAlive(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	ackWait(t, b, 6*time.Second) // long enough for a machine that is busy with other tests
	const n = 4
	publishN(t, b, n)
	cfg := embedConsumer(b)
	cfg.Workers, cfg.Prefetch = 1, n
	attempts := make(chan int, 10*n)
	start(t, b, cfg, func(ctx context.Context, m *bus.Message) error {
		attempts <- m.Attempt
		select {
		case <-time.After(4 * time.Second): // the last waits for twice the ack timeout
		case <-ctx.Done():
		}
		return nil
	})
	for range n {
		require.Equal(t, 1, <-attempts)
	}
	require.Eventually(t, func() bool { return consumerInfo(t, s).NumAckPending == 0 }, 30*time.Second, 10*time.Millisecond)
	require.Empty(t, attempts, "nothing was handled twice")
}

func TestConsumeHasFewRequestsAtTheServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	cfg := embedConsumer(b)
	cfg.Workers = 64
	const n = 500
	publishN(t, b, n)
	var count atomic.Int64
	start(t, b, cfg, func(ctx context.Context, m *bus.Message) error {
		select {
		case <-time.After(time.Duration(m.Sequence%7) * time.Millisecond):
		case <-ctx.Done():
		}
		count.Add(1)
		return nil
	})
	require.Eventually(t, func() bool { return count.Load() == n }, 10*time.Second, time.Millisecond)
	require.LessOrEqual(t, consumerInfo(t, s).NumWaiting, 8, "the server drops more than 512 of all replicas, without a word")
}

func TestConsumeGoesOnWithAConsumerMadeAgain(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	seen := make(chan uint64, 10)
	start(t, b, embedConsumer(b), func(_ context.Context, m *bus.Message) error { seen <- m.Sequence; return nil })
	publishN(t, b, 1)
	require.Equal(t, uint64(1), <-seen)
	require.Eventually(t, func() bool { return consumerInfo(t, s).AckFloor.Stream == 1 }, 20*time.Second, time.Millisecond) // or it comes again
	spec, _, err := b.Consumer(t.Context(), "MLSDM_REQUESTS", events.ConsumerEmbedder)
	require.NoError(t, err)
	require.NoError(t, requests(t, s).DeleteConsumer(t.Context(), events.ConsumerEmbedder))
	require.Eventually(t, func() bool { // the server may still be removing the files of the other one
		return b.ApplyConsumer(t.Context(), spec) == nil
	}, 30*time.Second, 10*time.Millisecond)
	ack, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Request("", events.KindEmbed), ID: "after", Body: []byte(`{}`)})
	require.NoError(t, err)
	select {
	case seq := <-seen:
		require.Equal(t, ack.Sequence, seq)
	case <-time.After(30 * time.Second):
		t.Fatal("nothing comes from the consumer that was made again")
	}
}

func TestConsumeEndsWhenTheConnectionIsClosed(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	publishN(t, b, 1)
	begun, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- b.Consume(context.Background(), embedConsumer(b), func(ctx context.Context, _ *bus.Message) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, b.Close(gone))
	select {
	case err := <-done:
		require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	case <-time.After(30 * time.Second):
		t.Fatal("the work goes on for nobody")
	}
}

func TestConsumeStopsWithoutAServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	publishN(t, b, 1)
	seen := make(chan struct{})
	stop := start(t, b, embedConsumer(b), func(context.Context, *bus.Message) error { close(seen); return nil })
	<-seen
	s.Shutdown()
	s.WaitForShutdown()
	require.Eventually(t, func() bool { return b.Connected() != nil }, 30*time.Second, time.Millisecond)
	begun := time.Now()
	stop()
	require.Less(t, time.Since(begun), 15*time.Second)
}

func TestConsumeDoesNotWaitForEverOnAHandler(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	publishN(t, b, 1)
	begun, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	cfg := embedConsumer(b)
	cfg.DrainTimeout = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Consume(ctx, cfg, func(context.Context, *bus.Message) error {
			close(begun)
			<-release
			return nil
		})
	}()
	<-begun
	cancel()
	select {
	case err := <-done:
		require.ErrorContains(t, err, "1 messages of embedder")
	case <-time.After(15 * time.Second):
		t.Fatal("a handler that ignores its context holds up the stop")
	}
}

func TestConsumeGivesUpWhatBringsTheProcessDown(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	publishN(t, b, 1)
	consumer, err := requests(t, s).Consumer(t.Context(), events.ConsumerEmbedder)
	require.NoError(t, err)
	cfg := embedConsumer(b)
	cfg.MaxAttempts = 2
	for range cfg.MaxAttempts + 10 { // each of these processes dies
		msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
		require.NoError(t, err)
		require.NoError(t, msg.Nak())
	}
	gaveUp := make(chan error, 1)
	cfg.GiveUp = func(_ context.Context, _ *bus.Message, cause error) error { gaveUp <- cause; return nil }
	start(t, b, cfg, func(context.Context, *bus.Message) error { return errors.New("handled once more") })
	require.ErrorContains(t, <-gaveUp, "handed out 13 times")
}

func TestConsumeNeverGivesUpWithoutALimit(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	publishN(t, b, 1)
	cfg := embedConsumer(b)
	cfg.MaxAttempts = -1
	cfg.Backoff = retry.Backoff{Base: time.Microsecond, Cap: time.Microsecond}
	last := make(chan struct{})
	start(t, b, cfg, func(_ context.Context, m *bus.Message) error {
		if m.Attempt == 30 {
			close(last)
			return nil
		}
		return errors.New("not yet")
	})
	<-last
}

// Any client may store what ours would not: header names that can be read and not sent, and as much as the stream takes.
func TestConsumeGivesUpWhatIsHardToStore(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.ConnectTraced(t, "test", nil) // whose messages have the size that is reckoned with here
	nc := s.Conn(t)
	dead, err := nc.SubscribeSync("mlsdm.deadletters.>")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	start(t, b, embedConsumer(b), func(context.Context, *bus.Message) error { return retry.Permanent(errors.New("no")) })

	raw, err := net.Dial("tcp", s.Addr().String()) //nolint:noctx // on loopback
	require.NoError(t, err)
	defer raw.Close()
	header := "NATS/1.0\r\nX Y: 1\r\nX-Mine: kept\r\n\r\n"
	_, err = fmt.Fprintf(raw, "CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB mlsdm.requests.embed %d %d\r\n%s{}\r\n", len(header), len(header)+2, header)
	require.NoError(t, err)
	msg, err := dead.NextMsg(10 * time.Second)
	require.NoError(t, err)
	require.Equal(t, "kept", msg.Header.Get("X-Mine"))

	spec, _, err := b.Stream(t.Context(), "MLSDM_REQUESTS")
	require.NoError(t, err)
	subject := b.Subjects().Request("", events.KindEmbed)
	_, err = b.Publish(t.Context(), bus.Msg{Subject: subject, Body: make([]byte, b.MaxPayload()-100)})
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "as a dead letter it would be larger than the server takes")
	largest := int(spec.MaxMsgSize)
	_, err = b.Publish(t.Context(), bus.Msg{Subject: subject, ID: "x", Body: make([]byte, largest-len("NATS/1.0\r\nNats-Msg-Id: x\r\n\r\n"))})
	require.NoError(t, err)
	msg, err = dead.NextMsg(10 * time.Second)
	require.NoError(t, err)
	require.Greater(t, len(msg.Data), largest-100)
}

// TestConsumeHoldsSoManyBytes: of large messages fewer are held than there are workers.
func TestConsumeHoldsSoManyBytes(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	const n, size, most = 12, 4<<20 - 1<<10, 4
	for range n {
		_, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.x"), Body: make([]byte, size)})
		require.NoError(t, err)
	}
	begun, release := make(chan struct{}, n), make(chan struct{}, n)
	cfg := bus.ConsumeConfig{Stream: eventsStream, Durable: events.ConsumerRouter, Workers: n, Prefetch: n, MaxBytes: 16 << 20}
	start(t, b, cfg, func(context.Context, *bus.Message) error {
		begun <- struct{}{}
		<-release
		return nil
	})
	for handled := 0; handled < n; {
		<-begun
		together := 1
		for more := true; more; {
			select {
			case <-begun:
				together++
			case <-time.After(200 * time.Millisecond): // as many as will be
				more = false
			}
		}
		require.LessOrEqual(t, together, most)
		for range together {
			release <- struct{}{}
		}
		handled += together
	}
}

// TestConsumeInBoundsOfBytesDoesNotPause: a request that is bounded in bytes and has brought all its messages is no failure.
func TestConsumeInBoundsOfBytesDoesNotPause(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	const n = 4000 // with a pause after each request it would take minutes
	msgs := make([]bus.Msg, n)
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: b.Subjects().Event("custom.x"), Body: []byte("x")}
	}
	require.NoError(t, b.PublishAll(t.Context(), msgs))
	var handled atomic.Int64
	cfg := bus.ConsumeConfig{Stream: eventsStream, Durable: events.ConsumerRouter, Workers: 4, Prefetch: 4, MaxBytes: 16 << 20}
	start(t, b, cfg, func(context.Context, *bus.Message) error {
		handled.Add(1)
		return nil
	})
	require.Eventually(t, func() bool { return handled.Load() == n }, patience, time.Millisecond)
}
