package client_test

import (
	"context"
	"strconv"
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

// signsOf counts the signs of life that are sent to anybody.
func signsOf(t *testing.T, s *bustest.Server) *atomic.Int64 {
	t.Helper()
	var signs atomic.Int64
	conn := s.Conn(t)
	_, err := conn.Subscribe("_INBOX.>", func(m *nats.Msg) {
		if m.Header.Get(events.HeaderKeepalive) != "" {
			signs.Add(1)
		}
	})
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	return &signs
}

// silences says three chunks, and nothing before each until go on says so.
func silences(t *testing.T, s *bustest.Server, silence func(ctx context.Context) error) {
	t.Helper()
	serve(t, s, events.OpGenerate, func(ctx context.Context, r *bus.Request) error {
		r.Streams()
		for i := range 3 {
			if err := silence(ctx); err != nil {
				return err
			}
			if err := r.Send(chunk(strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return silence(ctx)
	})
}

// until waits for a condition.
func until(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// alive asks for signs of life.
func alive(h nats.Header) { h[events.HeaderKeepaliveMS] = []string{"100"} }

// Signs of life say nothing to the loop, and keep its patience up.
func TestStreamDropsSignsOfLife(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	signs := signsOf(t, s)
	silences(t, s, func(ctx context.Context) error {
		enough := signs.Load() + 2
		return until(ctx, func() bool { return signs.Load() >= enough })
	})
	next := 0
	for chunk, err := range connect(t, s).GenerateStream(within(t), events.ChatRequest{Prompt: "x"}, client.GenerateOption(alive)) {
		require.NoError(t, err)
		require.Len(t, chunk.Choices, 1)
		require.Equal(t, strconv.Itoa(next), chunk.Choices[0].Delta.Content)
		next++
	}
	require.Equal(t, 3, next)
	require.GreaterOrEqual(t, signs.Load(), int64(8))
}

// A loop that stands still for longer than signs of life could be kept loses nothing but those.
func TestSignsOfLifeTakeNoRoom(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	const flood = 1000 // more than have room
	var inbox atomic.Pointer[string]
	conn := s.Conn(t)
	_, err := conn.Subscribe("mlsdm.generate", func(m *nats.Msg) { inbox.Store(&m.Reply) })
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	signs := signsOf(t, s)
	silences(t, s, func(ctx context.Context) error { return ctx.Err() })
	next := 0
	for chunk, err := range connect(t, s).GenerateStream(within(t), events.ChatRequest{Prompt: "x"}, client.GenerateOption(alive)) {
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(next), chunk.Choices[0].Delta.Content)
		if next++; next > 1 {
			continue
		}
		require.Eventually(t, func() bool { return inbox.Load() != nil }, patience, time.Millisecond)
		for range flood {
			require.NoError(t, conn.PublishMsg(bustest.Message(*inbox.Load(), "", nats.Header{events.HeaderKeepalive: {"1"}}, []byte(`{"choices":[]}`))))
		}
		require.NoError(t, conn.Flush())
		require.Eventually(t, func() bool { return signs.Load() >= flood }, patience, time.Millisecond)
	}
	require.Equal(t, 3, next)
}
