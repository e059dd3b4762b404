package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// streamErrors yields what a stream fails with, and fails by itself when it does not.
func streamErrors(ctx context.Context, c *client.Client, req events.ChatRequest) iter.Seq[error] {
	return func(yield func(error) bool) {
		var last error
		for _, err := range c.GenerateStream(ctx, req) {
			last = err
		}
		yield(last)
	}
}

// chunk is one piece of an answer.
func chunk(text string) []byte {
	return fmt.Appendf(nil, `{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":%s}}]}`, strconv.Quote(text))
}

// streamServer sends n chunks and then returns end.
func streamServer(t *testing.T, s *bustest.Server, n int, end error) {
	t.Helper()
	serve(t, s, events.OpGenerate, func(_ context.Context, r *bus.Request) error {
		var req struct {
			Stream bool `json:"stream"`
		}
		if err := json.Unmarshal(r.Body, &req); err != nil || !req.Stream {
			return events.Errorf(events.CodeInvalidArgument, "not asked for a stream")
		}
		for i := range n {
			if err := r.Send(chunk(strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return end
	})
}

func TestStream(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	streamServer(t, s, 1000, nil)
	c := connect(t, s)
	next := 0
	for chunk, err := range c.GenerateStream(within(t), events.ChatRequest{Prompt: "count"}) {
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(next), chunk.Choices[0].Delta.Content)
		next++
	}
	require.Equal(t, 1000, next)
	require.Zero(t, c.Conn().NumSubscriptions())
}

func TestStreamFailsAtItsEnd(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	streamServer(t, s, 3, events.Errorf(events.CodeContentRejected, "no more of this"))
	chunks := 0
	var last error
	for _, err := range connect(t, s).GenerateStream(within(t), events.ChatRequest{Prompt: "x"}) {
		require.NoError(t, last, "nothing comes after an error")
		if last = err; err == nil {
			chunks++
		}
	}
	require.Equal(t, 3, chunks)
	requireCode(t, events.CodeContentRejected, last)
}

func TestLeavingAStreamEndsIt(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	streamServer(t, s, 100, nil)
	c := connect(t, s)
	stream := c.GenerateStream(within(t), events.ChatRequest{Prompt: "x"})
	for range 2 { // and looping again asks again
		for chunk, err := range stream {
			require.NoError(t, err)
			require.Equal(t, "0", chunk.Choices[0].Delta.Content)
			break
		}
		require.Zero(t, c.Conn().NumSubscriptions())
	}
}

// A loop that stands still holds the service up: what is on its way is bounded, and nothing is lost.
func TestASlowLoopSlowsTheServiceDown(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	const chunks, window = 2000, 256
	var sent atomic.Int64
	serve(t, s, events.OpGenerate, func(_ context.Context, r *bus.Request) error {
		for i := range chunks {
			if err := r.Send(chunk(strconv.Itoa(i))); err != nil {
				return err
			}
			sent.Add(1)
		}
		return nil
	})
	c := connect(t, s)
	next := 0
	for chunk, err := range c.GenerateStream(within(t), events.ChatRequest{Prompt: "x"}) {
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(next), chunk.Choices[0].Delta.Content)
		if next == 0 { // the loop does not keep up
			require.Eventually(t, func() bool { return sent.Load() == window }, patience, time.Millisecond)
			require.Never(t, func() bool { return sent.Load() > window }, 50*time.Millisecond, time.Millisecond)
		}
		require.LessOrEqual(t, sent.Load(), int64(next+1+window))
		next++
	}
	require.Equal(t, chunks, next)
}

// Who leaves, however, ends the work.
func TestWhoLeavesCancelsTheWork(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(c *client.Client, begun <-chan struct{}){
		"a loop that is left": func(c *client.Client, _ <-chan struct{}) {
			for _, err := range c.GenerateStream(t.Context(), events.ChatRequest{Prompt: "x"}) {
				require.NoError(t, err)
				break
			}
		},
		"a stream whose ctx ends": func(c *client.Client, _ <-chan struct{}) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range c.GenerateStream(ctx, events.ChatRequest{Prompt: "x"}) {
				if err != nil {
					requireCode(t, events.CodeCanceled, err)
				}
				cancel()
			}
		},
		"a stream that has not begun": func(c *client.Client, begun <-chan struct{}) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-begun
				cancel()
			}()
			for err := range streamErrors(ctx, c, events.ChatRequest{Prompt: "silent"}) {
				requireCode(t, events.CodeCanceled, err)
			}
		},
		"a plain request": func(c *client.Client, begun <-chan struct{}) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-begun
				cancel()
			}()
			_, err := c.Generate(ctx, events.ChatRequest{Prompt: "silent"})
			requireCode(t, events.CodeCanceled, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t, bustest.Bare())
			begun, ended := make(chan struct{}), make(chan error, 1)
			serve(t, s, events.OpGenerate, func(ctx context.Context, r *bus.Request) error {
				close(begun)
				if !strings.Contains(string(r.Body), "silent") {
					if err := r.Send(chunk("0")); err != nil {
						return err
					}
				}
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return ctx.Err()
			})
			leave(connect(t, s, client.Caller("checkout")), begun)
			select {
			case err := <-ended:
				requireCode(t, events.CodeCanceled, err)
			case <-time.After(patience):
				require.Fail(t, "the work goes on")
			}
		})
	}
}

// A service that ignores the window, or a chunk that does not arrive, is an error and no gap in the text.
func TestStreamLosesNothingInSilence(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	nc := s.Conn(t)
	_, err := nc.Subscribe("mlsdm.generate", func(m *nats.Msg) {
		for _, sequence := range []string{"1", "2", "4"} {
			msg := &nats.Msg{Subject: m.Reply, Reply: "mlsdm.events.custom.x", Data: chunk(sequence), Header: nats.Header{events.HeaderSequence: {sequence}}}
			_ = nc.PublishMsg(msg)
		}
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	var texts []string
	var last error
	for chunk, err := range connect(t, s).GenerateStream(within(t), events.ChatRequest{Prompt: "x"}) {
		if last = err; err == nil {
			texts = append(texts, chunk.Choices[0].Delta.Content)
		}
	}
	require.Equal(t, []string{"1", "2"}, texts)
	requireCode(t, events.CodeUnavailable, last)
	require.ErrorContains(t, last, "chunk 4 of the stream came behind chunk 2")
}

// A replica that dies in the middle of an answer is noticed, though it says nothing.
func TestAReplicaThatDiesEndsItsStreams(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	replica := s.Conn(t)
	const control = "mlsdm.streams.replica.1"
	_, err := replica.Subscribe(control, func(*nats.Msg) {})
	require.NoError(t, err)
	_, err = replica.Subscribe("mlsdm.generate", func(m *nats.Msg) {
		_ = replica.PublishMsg(&nats.Msg{Subject: m.Reply, Reply: control, Data: chunk("a"), Header: nats.Header{events.HeaderSequence: {"1"}}})
	})
	require.NoError(t, err)
	require.NoError(t, replica.Flush())
	chunks := 0
	var last error
	for _, err := range connect(t, s).GenerateStream(within(t), events.ChatRequest{Prompt: "x"}) {
		if last = err; err == nil {
			chunks++
			replica.Close()
		}
	}
	require.Equal(t, 1, chunks)
	requireCode(t, events.CodeUnavailable, last)
	require.ErrorContains(t, last, "is gone")
}

// What a sender calls the reply subject is no place to publish to.
func TestAcknowledgementsGoNowhereElse(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	forged := listen(t, s, "mlsdm.events.>")
	nc := s.Conn(t)
	_, err := nc.Subscribe("mlsdm.generate", func(m *nats.Msg) {
		for sequence := range 100 {
			_ = nc.PublishMsg(&nats.Msg{
				Subject: m.Reply, Reply: "mlsdm.events.custom.x", Data: chunk("x"), Header: nats.Header{events.HeaderSequence: {strconv.Itoa(sequence + 1)}},
			})
		}
		_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply})
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	c := connect(t, s)
	for _, err := range c.GenerateStream(within(t), events.ChatRequest{Prompt: "x"}) {
		require.NoError(t, err)
	}
	require.NoError(t, c.Conn().Flush())
	require.NoError(t, nc.Publish("mlsdm.events.last", nil))
	msg, err := forged.NextMsgWithContext(within(t))
	require.NoError(t, err)
	require.Equal(t, "mlsdm.events.last", msg.Subject)
}

func TestStreamEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*client.Client) error{
		"reconnect": func(c *client.Client) error { return c.Conn().ForceReconnect() },
		"close":     func(c *client.Client) error { c.Close(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t, bustest.Bare())
			serve(t, s, events.OpGenerate, func(ctx context.Context, r *bus.Request) error {
				if err := r.Send(chunk("0")); err != nil {
					return err
				}
				<-ctx.Done() // and no more
				return ctx.Err()
			})
			c := connect(t, s)
			var last error
			for _, err := range c.GenerateStream(within(t), events.ChatRequest{Prompt: "x"}) {
				if last = err; err == nil {
					require.NoError(t, breakIt(c))
				}
			}
			requireCode(t, events.CodeUnavailable, last)
		})
	}
}

func TestStreamHasPatienceForEachChunk(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	serve(t, s, events.OpGenerate, func(ctx context.Context, r *bus.Request) error {
		for i := range 4 { // together longer than the timeout, each shorter
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			if err := r.Send(chunk(strconv.Itoa(i))); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	})
	c := connect(t, s, client.Timeout(3500*time.Millisecond))
	chunks := 0
	var last error
	for _, err := range c.GenerateStream(t.Context(), events.ChatRequest{Prompt: "x"}) {
		if last = err; err == nil {
			chunks++
		}
	}
	require.Equal(t, 4, chunks)
	requireCode(t, events.CodeDeadlineExceeded, last)

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for err := range streamErrors(short, c, events.ChatRequest{Prompt: "x"}) {
		requireCode(t, events.CodeDeadlineExceeded, err)
	}
}

func TestNobodyStreams(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	for err := range streamErrors(within(t), connect(t, s), events.ChatRequest{Prompt: "x"}) {
		requireCode(t, events.CodeUnavailable, err)
		require.ErrorContains(t, err, "nobody answers on mlsdm.generate")
	}
}

func TestStreamOfNonsense(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	serve(t, s, events.OpGenerate, func(_ context.Context, r *bus.Request) error { return r.Send([]byte("nonsense")) })
	for err := range streamErrors(within(t), connect(t, s), events.ChatRequest{Prompt: "x"}) {
		requireCode(t, events.CodeInternal, err)
	}
}
