package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"testing"
	"time"

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

func TestStreamLosesNothingInSilence(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	sent := make(chan struct{})
	serve(t, s, events.OpGenerate, func(_ context.Context, r *bus.Request) error {
		defer close(sent)
		for i := range 10_000 {
			if err := r.Send(chunk(strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return nil
	})
	c := connect(t, s)
	next := 0
	var last error
	for chunk, err := range c.GenerateStream(within(t), events.ChatRequest{Prompt: "x"}) {
		if err != nil {
			last = err
			continue
		}
		require.Equal(t, strconv.Itoa(next), chunk.Choices[0].Delta.Content)
		if next == 0 { // the loop does not keep up
			<-sent
			require.Eventually(t, func() bool { return c.Conn().Stats().InMsgs >= 10_000 }, patience, time.Millisecond)
		}
		next++
	}
	requireCode(t, events.CodeFailedPrecondition, last)
	require.ErrorContains(t, last, "not read fast enough")
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
			case <-time.After(120 * time.Millisecond):
			}
			if err := r.Send(chunk(strconv.Itoa(i))); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	})
	c := connect(t, s, client.Timeout(400*time.Millisecond))
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
