package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// answer publishes the result of a durable request, as a worker does.
func answer(t *testing.T, b *bus.Bus, caller, id string, header map[string][]string, body []byte) {
	t.Helper()
	_, err := b.Publish(within(t), bus.Msg{Subject: b.Subjects().Result(caller, id), Header: header, Body: body})
	require.NoError(t, err)
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	sub := listen(t, s, "mlsdm.>")
	c := connect(t, s, client.Caller("checkout"))
	request := events.EmbeddingsRequest{Input: events.TextInput{"a"}}
	ctx := within(t)

	id, err := c.SubmitEmbed(ctx, "order-1", request, client.KeepResult(90*time.Minute))
	require.NoError(t, err)
	require.Equal(t, "order-1", id)
	msg, err := sub.NextMsgWithContext(ctx)
	require.NoError(t, err)
	require.Equal(t, "mlsdm.as.checkout.requests.embed", msg.Subject)
	require.Equal(t, "order-1", msg.Header.Get(events.HeaderRequestID))
	require.Equal(t, "mlsdm.as.checkout.requests.embed.order-1", msg.Header.Get(events.HeaderMsgID), "of another caller, or another kind, it is another")
	ttl, err := events.ResultTTL(msg.Header)
	require.NoError(t, err)
	require.Equal(t, 90*time.Minute, ttl)
	require.Empty(t, msg.Header.Values(events.HeaderTimeoutMS), "the patience of the publisher is not that of the work")
	require.JSONEq(t, `{"input":"a"}`, string(msg.Data))

	_, err = c.SubmitEmbed(ctx, "order-1", request)
	require.NoError(t, err, "the same again is no error")

	id, err = c.SubmitGenerate(ctx, "", events.ChatRequest{Prompt: "x", Stream: true})
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
	_, err = sub.NextMsgWithContext(ctx)
	require.NoError(t, err)
	msg, err = sub.NextMsgWithContext(ctx)
	require.NoError(t, err)
	require.JSONEq(t, `{"prompt":"x","stream":true}`, string(msg.Data))

	js, err := s.Conn(t).JetStream()
	require.NoError(t, err)
	info, err := js.StreamInfo("MLSDM_REQUESTS")
	require.NoError(t, err)
	require.EqualValues(t, 2, info.State.Msgs)
}

func TestResult(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	worker := s.Connect(t, "worker")
	c := connect(t, s, client.Caller("checkout"))
	ctx := within(t)

	answer(t, worker, "checkout", "early", nil, []byte(`{"model":"fake/early"}`))
	for range 2 {
		var resp events.EmbeddingsResponse
		require.NoError(t, c.Result(ctx, "early", &resp))
		require.Equal(t, "fake/early", resp.Model)
	}

	header, body := events.EncodeError(events.Errorf(events.CodeUnsupported, "cannot do that"))
	answer(t, worker, "checkout", "failed", header, body)
	requireCode(t, events.CodeUnsupported, c.Result(ctx, "failed", nil))

	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	requireCode(t, events.CodeDeadlineExceeded, connect(t, s).Result(short, "early", nil))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	requireCode(t, events.CodeCanceled, c.Result(canceled, "early", nil))
}

func TestResultIsWaitedForAcrossARestart(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s, client.NATS(nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0)))
	got := make(chan error, 1)
	var resp events.ChatResponse
	go func() { got <- c.Result(within(t), "late", &resp) }()
	requireConsumers(t, s, "MLSDM_RESULTS", 1)

	s.Restart(t)
	answer(t, s.Connect(t, "worker"), "", "late", nil, []byte(`{"id":"chat-1"}`))
	require.NoError(t, <-got)
	require.Equal(t, "chat-1", resp.ID)
	requireConsumers(t, s, "MLSDM_RESULTS", 0)
}

func TestManyWaitForTheirResults(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c, worker := connect(t, s), s.Connect(t, "worker")
	const n = 50
	got := make(chan error, n)
	for i := range n {
		go func() {
			var resp events.ChatResponse
			id := fmt.Sprintf("r-%d", i)
			err := c.Result(within(t), id, &resp)
			if err == nil && resp.ID != id {
				err = fmt.Errorf("%s got the result of %s", id, resp.ID)
			}
			got <- err
		}()
	}
	for i := range n {
		answer(t, worker, "", fmt.Sprintf("r-%d", i), nil, fmt.Appendf(nil, `{"id":"r-%d"}`, i))
	}
	for range n {
		require.NoError(t, <-got)
	}
	requireConsumers(t, s, "MLSDM_RESULTS", 0)
}

func TestDurableDoorOfAnUnprovisionedServer(t *testing.T) {
	t.Parallel()
	c := connect(t, bustest.Start(t, bustest.Bare()))
	_, err := c.SubmitGenerate(within(t), "", events.ChatRequest{Prompt: "x"})
	requireCode(t, events.CodeFailedPrecondition, err)
	require.ErrorContains(t, err, "mlsdmctl provision")
	err = c.Result(within(t), "x", nil)
	requireCode(t, events.CodeFailedPrecondition, err)
	require.ErrorContains(t, err, "MLSDM_RESULTS")
}

// requireConsumers waits until a stream has n consumers: what a client made for itself it takes away again.
func requireConsumers(t *testing.T, s *bustest.Server, stream string, n int) {
	t.Helper()
	js, err := s.Conn(t).JetStream()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		info, err := js.StreamInfo(stream)
		return err == nil && info.State.Consumers == n
	}, patience, 5*time.Millisecond)
}
