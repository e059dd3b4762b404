package client_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// collect is a handler that hands events on.
func collect() (handler func(context.Context, events.Event) error, got chan events.Event) {
	got = make(chan events.Event, 1000)
	return func(_ context.Context, ev events.Event) error {
		got <- ev
		return nil
	}, got
}

// publish stores an event whose data is its number.
func publish(t *testing.T, c *client.Client, eventType string, n int) {
	t.Helper()
	_, err := c.PublishData(within(t), eventType, []byte(strconv.Itoa(n)))
	require.NoError(t, err)
}

// requireNumbers waits for the events of these numbers, in this order.
func requireNumbers(t *testing.T, got <-chan events.Event, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		select {
		case ev := <-got:
			require.Equal(t, strconv.Itoa(n), string(ev.Data))
		case <-time.After(patience):
			require.FailNow(t, "an event is missing", "%d", n)
		}
	}
	require.Empty(t, got)
}

func TestSubscribeBegins(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	for n := 1; n <= 3; n++ {
		publish(t, c, "custom.x", n)
	}
	var checks []func()
	for name, begin := range map[string]struct {
		options []client.SubscribeOption
		want    []int
	}{
		"now":               {nil, []int{4}},
		"an hour ago":       {[]client.SubscribeOption{client.Since(time.Hour)}, []int{1, 2, 3, 4}},
		"in the stream":     {[]client.SubscribeOption{client.StartSequence(2)}, []int{2, 3, 4}},
		"before the stream": {[]client.SubscribeOption{client.StartSequence(0)}, []int{1, 2, 3, 4}},
	} {
		handler, got := collect()
		sub, err := c.Subscribe(t.Context(), nil, handler, begin.options...)
		require.NoError(t, err, name)
		checks = append(checks, func() {
			requireNumbers(t, got, begin.want...)
			sub.Stop()
			require.NoError(t, sub.Err())
			require.EqualValues(t, 4, sub.Sequence(), name)
		})
	}
	publish(t, c, "custom.x", 4)
	for _, check := range checks {
		check()
	}
}

func TestSubscribePatterns(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	types := []string{"ci.degraded", "ci.run_failed", "custom.a", "custom.a.b", "other.degraded"}
	for n, eventType := range types {
		publish(t, c, eventType, n)
	}
	for name, test := range map[string]struct {
		patterns []string
		want     []int
	}{
		"all":               {nil, []int{0, 1, 2, 3, 4}},
		"one type":          {[]string{"ci.degraded"}, []int{0}},
		"one part":          {[]string{"ci.*", "custom.*"}, []int{0, 1, 2}},
		"the rest":          {[]string{"custom.>"}, []int{2, 3}},
		"one in another":    {[]string{"ci.degraded", "ci.*", "ci.degraded"}, []int{0, 1}},
		"they overlap":      {[]string{"ci.*", "*.degraded"}, []int{0, 1, 4}},
		"nothing of theirs": {[]string{"nobody.>"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, s)
			handler, got := collect()
			sub, err := c.Subscribe(t.Context(), test.patterns, handler, client.StartSequence(1))
			require.NoError(t, err)
			defer sub.Stop()
			requireNumbers(t, got, test.want...)
		})
	}
	for _, bad := range []string{"", ".", "a..b", "a.>.b", "a*", "ü"} {
		_, err := c.Subscribe(t.Context(), []string{bad}, nil)
		requireCode(t, events.CodeInvalidArgument, err)
	}
}

func TestSubscriptionSurvivesTheServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	quick := client.NATS(nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	c := connect(t, s, quick)
	handler, got := collect()
	sub, err := c.Subscribe(t.Context(), []string{"custom.>"}, handler)
	require.NoError(t, err)
	idle, untouched := collect() // has seen nothing when the server goes away
	quiet, err := c.Subscribe(t.Context(), []string{"custom.x.>"}, idle)
	require.NoError(t, err)

	for round := range 3 {
		publish(t, connect(t, s), "custom.x", 10*round)
		requireNumbers(t, got, 10*round)
		s.Restart(t)
		other := connect(t, s)
		publish(t, other, "custom.x", 10*round+1)
		publish(t, other, "custom.x.y", 10*round+2)
		requireNumbers(t, got, 10*round+1, 10*round+2)
		requireNumbers(t, untouched, 10*round+2)
		require.NoError(t, c.Conn().ForceReconnect())
	}
	sub.Stop()
	quiet.Stop()
	require.NoError(t, sub.Err())
	requireConsumers(t, s, "MLSDM_EVENTS", 1) // the router's own
}

func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	handler, _ := collect()

	ctx, cancel := context.WithCancel(t.Context())
	sub, err := c.Subscribe(ctx, nil, handler)
	require.NoError(t, err)
	cancel()
	require.NoError(t, sub.Err(), "its context ended")

	enough := errors.New("enough")
	sub, err = c.Subscribe(t.Context(), nil, func(context.Context, events.Event) error { return enough })
	require.NoError(t, err)
	publish(t, c, "custom.x", 1)
	require.ErrorIs(t, sub.Err(), enough)
	require.Zero(t, sub.Sequence(), "what failed was not handled")

	other := connect(t, s)
	sub, err = other.Subscribe(t.Context(), nil, handler)
	require.NoError(t, err)
	other.Close()
	requireCode(t, events.CodeUnavailable, sub.Err())

	// While there is no server, too.
	sub, err = c.Subscribe(t.Context(), nil, handler)
	require.NoError(t, err)
	s.Shutdown()
	require.Eventually(t, c.Conn().IsReconnecting, patience, time.Millisecond)
	began := time.Now()
	sub.Stop()
	require.Less(t, time.Since(began), 15*time.Second)
}

func TestBadEventsAreReported(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	js, err := s.Conn(t).JetStream()
	require.NoError(t, err)
	raw := func(subject, body string) {
		t.Helper()
		_, err := js.Publish(subject, []byte(body))
		require.NoError(t, err)
	}
	raw("mlsdm.events.custom.x", "\xff\xfe")
	raw("mlsdm.events.ci.degraded", `{"specversion":"1.0","id":"1","source":"/x","type":"ci.recovered"}`)
	raw("mlsdm.events.secret.rotated", `{"specversion":"1.0","id":"3","source":"/x","type":"secret.rotated","data":{"name":7}}`)
	raw("mlsdm.events.custom.x", `{"fine":true}`)
	raw("mlsdm.events.secret.rotated", `{"specversion":"1.0","id":"5","source":"/x","type":"secret.rotated","data":{"name":"a","store":"vault"}}`)

	var mux client.Mux
	var names []string
	client.On(&mux, func(_ context.Context, _ events.Event, p events.SecretRotated) error {
		names = append(names, p.Name)
		return nil
	})
	others := 0
	mux.OnEvent(">", func(context.Context, events.Event) error { others++; return nil })
	var bad []*client.BadEventError
	ended := errors.New("seen all")
	mux.OnEvent("custom.end", func(context.Context, events.Event) error { return ended })
	sub, err := c.Subscribe(t.Context(), mux.Patterns(), mux.Handle, client.StartSequence(1), client.OnBadEvent(func(err error) {
		if b, ok := errors.AsType[*client.BadEventError](err); ok {
			bad = append(bad, b)
		}
	}))
	require.NoError(t, err)
	raw("mlsdm.events.custom.end", "{}")
	require.ErrorIs(t, sub.Err(), ended)

	require.Equal(t, []string{"a"}, names)
	require.Equal(t, 4, others, "also the one whose payload only the typed handler could not read")
	require.Len(t, bad, 3)
	for i, b := range bad {
		require.EqualValues(t, i+1, b.Sequence)
		requireCode(t, events.CodeInvalidArgument, b)
		require.ErrorContains(t, b, b.Subject)
	}
}

func TestMux(t *testing.T) {
	t.Parallel()
	var mux client.Mux
	failed := errors.New("failed")
	var calls []string
	client.On(&mux, func(_ context.Context, ev events.Event, p events.SecretRotated) error {
		calls = append(calls, ev.ID+" "+p.Name)
		return nil
	})
	mux.OnEvent("secret.*", func(context.Context, events.Event) error { calls = append(calls, "second"); return failed })
	mux.OnEvent("secret.*", func(context.Context, events.Event) error { calls = append(calls, "never"); return nil })
	require.Equal(t, []string{"secret.*", "secret.rotated"}, mux.Patterns())

	ev, err := events.New("/x", events.SecretRotated{Name: "a", Store: "vault"})
	require.NoError(t, err)
	require.ErrorIs(t, mux.Handle(t.Context(), ev), failed)
	require.Equal(t, []string{ev.ID + " a", "second"}, calls)
	require.NoError(t, mux.Handle(t.Context(), events.Event{Type: "custom.x"}))
}

func TestSubscribeWithoutAStream(t *testing.T) {
	t.Parallel()
	c := connect(t, bustest.Start(t, bustest.Bare()))
	for _, options := range [][]client.SubscribeOption{nil, {client.Since(time.Hour)}} {
		_, err := c.Subscribe(within(t), nil, nil, options...)
		requireCode(t, events.CodeFailedPrecondition, err)
		require.ErrorContains(t, err, "MLSDM_EVENTS")
	}
}
