package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// muxOf is a mux with one handler of a pattern.
func muxOf(pattern string, handler func(context.Context, events.Event) error) *client.Mux {
	var mux client.Mux
	mux.OnEvent(pattern, handler)
	return &mux
}

// handle begins durable handlers that are stopped when the test ends.
func handle(t *testing.T, c *client.Client, mux *client.Mux, options ...client.HandleOption) *client.Handling {
	t.Helper()
	options = append([]client.HandleOption{client.Logger(bustest.Logger(t))}, options...)
	h, err := c.Handle(t.Context(), "test", mux, options...)
	require.NoError(t, err)
	t.Cleanup(h.Stop)
	return h
}

// receive waits for a value.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// requireSettled waits until nothing is waiting and nothing is being handled.
func requireSettled(t *testing.T, s *bustest.Server) *nats.ConsumerInfo {
	t.Helper()
	js, err := s.Conn(t).JetStream()
	require.NoError(t, err)
	var info *nats.ConsumerInfo
	require.Eventually(t, func() bool {
		stream, err := js.StreamInfo("MLSDM_EVENTS")
		require.NoError(t, err)
		// A consumer's count of pending messages lags behind the stream.
		info, err = js.ConsumerInfo("MLSDM_EVENTS", "handler-test")
		return err == nil && info.Delivered.Stream >= stream.State.LastSeq && info.NumAckPending == 0
	}, patience, 5*time.Millisecond)
	return info
}

func TestHandlersGoOnWhereTheyWere(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	publisher := connect(t, s)
	publish(t, publisher, "custom.x", 0)

	handler, got := collect()
	first := connect(t, s)
	h := handle(t, first, muxOf("custom.*", handler))
	publish(t, publisher, "custom.x", 1)
	publish(t, publisher, "other.x", 100)
	publish(t, publisher, "custom.y", 2)
	requireNumbers(t, got, 1, 2)
	h.Stop()
	require.NoError(t, h.Err())
	first.Close()

	publish(t, publisher, "custom.x", 3)
	s.Restart(t)
	h = handle(t, connect(t, s), muxOf("custom.*", handler), client.Since(time.Hour))
	publish(t, connect(t, s), "custom.x", 4)
	requireNumbers(t, got, 3, 4)
	requireSettled(t, s)
	h.Stop()
	require.NoError(t, h.Err())
}

func TestHandlersBeginWhereTheyAreToldTo(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	for n := 1; n <= 3; n++ {
		publish(t, c, "custom.x", n)
	}
	for name, begin := range map[string]struct {
		option client.HandleOption
		want   []int
	}{
		"hour":     {client.Since(time.Hour), []int{1, 2, 3}},
		"sequence": {client.StartSequence(3), []int{3}},
	} {
		handler, got := collect()
		h, err := c.Handle(t.Context(), name, muxOf(">", handler), begin.option)
		require.NoError(t, err)
		requireNumbers(t, got, begin.want...)
		h.Stop()
		require.NoError(t, h.Err())
	}
}

func TestHandlersSurviveTheServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	quick := client.NATS(nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	handler, got := collect()
	h := handle(t, connect(t, s, quick), muxOf("custom.*", handler), client.Concurrency(4))
	for n := range 3 {
		publish(t, connect(t, s), "custom.x", n)
		requireNumbers(t, got, n)
		requireSettled(t, s)
		s.Restart(t)
	}
	publish(t, connect(t, s), "custom.x", 3)
	requireNumbers(t, got, 3)
	h.Stop()
	require.NoError(t, h.Err())
}

func TestProcessesShareTheWork(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	const processes, each, all = 2, 4, 200
	var mu sync.Mutex
	seen := make(map[string]int)
	var meet sync.WaitGroup // every place of every process gets one of the first events
	meet.Add(processes * each)
	handlers := make([]*client.Handling, processes)
	for i := range handlers {
		first := make(chan struct{}, each)
		for range each {
			first <- struct{}{}
		}
		handlers[i] = handle(t, connect(t, s), muxOf("custom.>", func(_ context.Context, ev events.Event) error {
			mu.Lock()
			seen[ev.ID]++
			mu.Unlock()
			select {
			case <-first:
				meet.Done()
				meet.Wait()
			default:
			}
			return nil
		}), client.Concurrency(each))
	}
	c := connect(t, s)
	for n := range all {
		publish(t, c, "custom.x", n)
	}
	requireSettled(t, s)
	for _, h := range handlers {
		h.Stop()
		require.NoError(t, h.Err())
	}
	require.Len(t, seen, all)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
}

func TestRetriesComeLater(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	type call struct {
		number string
		at     time.Time
	}
	calls := make(chan call, 100)
	slow := events.Errorf(events.CodeRateLimited, "slow down")
	slow.RetryAfter = 700 * time.Millisecond
	failures := map[string]error{"1": errors.New("not now"), "2": slow}
	handle(t, c, muxOf("custom.x", func(_ context.Context, ev events.Event) error {
		n := string(ev.Data)
		calls <- call{n, time.Now()}
		err := failures[n]
		delete(failures, n)
		return err
	}), client.RetryWaits(200*time.Millisecond, time.Hour))
	for n := 1; n <= 3; n++ {
		publish(t, c, "custom.x", n)
	}
	var order []string
	at := make(map[string][]time.Time)
	for range 5 {
		made := receive(t, calls)
		order = append(order, made.number)
		at[made.number] = append(at[made.number], made.at)
	}
	require.Equal(t, []string{"1", "2", "3", "1", "2"}, order)
	require.GreaterOrEqual(t, at["1"][1].Sub(at["1"][0]), 160*time.Millisecond)
	require.GreaterOrEqual(t, at["2"][1].Sub(at["2"][0]), 700*time.Millisecond, "the error asked for a longer wait")
	requireSettled(t, s)
}

func TestPoison(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	advisories := listen(t, s, "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.MLSDM_EVENTS.handler-test")
	var mu sync.Mutex
	calls := make(map[string]int)
	type loss struct {
		number string
		cause  error
	}
	given := make(chan loss, 100)
	refused := false
	handle(t, c, muxOf("custom.*", func(_ context.Context, ev events.Event) error {
		mu.Lock()
		defer mu.Unlock()
		n := string(ev.Data)
		calls[n]++
		switch n {
		case "1":
			return fmt.Errorf("wrapped: %w", client.Permanent(errors.New("never")))
		case "2":
			return errors.New("fails\r\nalways")
		case "3":
			panic("poison")
		default:
			return nil
		}
	}), client.Concurrency(8), client.RetryWaits(time.Millisecond, time.Millisecond),
		client.OnGiveUp(func(_ context.Context, ev events.Event, cause error) error {
			mu.Lock()
			defer mu.Unlock()
			if string(ev.Data) == "1" && !refused {
				refused = true
				panic("no place for dead letters")
			}
			given <- loss{string(ev.Data), cause}
			return nil
		}))
	for n := 1; n <= 4; n++ {
		publish(t, c, "custom.x", n)
	}
	causes := make(map[string]string)
	for range 3 {
		l := receive(t, given)
		causes[l.number] = l.cause.Error()
	}
	require.Equal(t, map[string]string{"1": "wrapped: never", "2": "fails\r\nalways", "3": "panic: poison"}, causes)
	requireSettled(t, s)
	mu.Lock()
	require.Equal(t, map[string]int{"1": 2, "2": 3, "3": 3, "4": 1}, calls, "an event that could not be given up comes again")
	mu.Unlock()
	var reasons []string
	for range 3 {
		msg, err := advisories.NextMsgWithContext(within(t))
		require.NoError(t, err)
		var advisory struct {
			Reason string `json:"reason"`
		}
		require.NoError(t, json.Unmarshal(msg.Data, &advisory))
		reasons = append(reasons, advisory.Reason)
	}
	slices.Sort(reasons)
	require.Equal(t, []string{"fails always", "panic: poison", "wrapped: never"}, reasons)
	require.Empty(t, given)
}

func TestCrashedHandlersAreTakenOver(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	began := make(chan string, 10)
	hang := func(ctx context.Context, ev events.Event) error {
		began <- string(ev.Data)
		<-ctx.Done()
		return ctx.Err()
	}
	victim := connect(t, s)
	dying := handle(t, victim, muxOf("custom.x", hang), client.Concurrency(2), client.TakeOver(client.MinTakeOver))
	publish(t, connect(t, s), "custom.x", 1)
	require.Equal(t, "1", receive(t, began))
	victim.Close()
	requireCode(t, events.CodeUnavailable, dying.Err())

	handler, got := collect()
	handle(t, connect(t, s), muxOf("custom.x", handler), client.TakeOver(client.MinTakeOver))
	requireNumbers(t, got, 1)
	requireSettled(t, s)
}

func TestLongWorkIsHandedOutOnce(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	began, release := make(chan string, 10), make(chan struct{})
	long := muxOf("custom.x", func(_ context.Context, ev events.Event) error {
		began <- string(ev.Data)
		<-release
		return nil
	})
	for range 2 {
		handle(t, connect(t, s), long, client.TakeOver(client.MinTakeOver))
	}
	publish(t, c, "custom.x", 1)
	receive(t, began)
	select {
	case <-began:
		require.FailNow(t, "it was handed out again while it was being handled")
	case <-time.After(3 * client.MinTakeOver):
	}
	close(release)
	require.Zero(t, requireSettled(t, s).NumRedelivered)
}

func TestStopFinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	began, release := make(chan string, 10), make(chan error, 10)
	h := handle(t, c, muxOf("custom.x", func(_ context.Context, ev events.Event) error {
		began <- string(ev.Data)
		return <-release
	}))
	publish(t, c, "custom.x", 1)
	publish(t, c, "custom.x", 2)
	receive(t, began)
	stopped := make(chan struct{})
	go func() {
		h.Stop()
		close(stopped)
	}()
	release <- nil
	receive(t, stopped)
	require.NoError(t, h.Err())
	require.Empty(t, began, "nothing new is begun")

	handler, got := collect()
	handle(t, connect(t, s), muxOf("custom.x", handler))
	requireNumbers(t, got, 2)
}

func TestStopCutsShortWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	began := make(chan struct{})
	h := handle(t, c, muxOf("custom.x", func(ctx context.Context, _ events.Event) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}), client.Drain(10*time.Millisecond))
	publish(t, c, "custom.x", 1)
	receive(t, began)
	h.Stop()
	require.NoError(t, h.Err())

	handler, got := collect()
	handle(t, connect(t, s), muxOf("custom.x", handler))
	requireNumbers(t, got, 1) // at once: it was given back
	requireSettled(t, s)
}

func TestWhatIsNoEventIsPassedOver(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	bad := make(chan error, 10)
	good := make(chan int, 10)
	var mux client.Mux
	client.On(&mux, func(_ context.Context, _ events.Event, p events.CIDegraded) error {
		good <- p.ConsecutiveFailures
		return nil
	})
	handle(t, c, &mux, client.OnBadEvent(func(err error) {
		bad <- err
		panic("the reporter too")
	}))
	_, err := c.PublishData(within(t), "ci.degraded", []byte(`{"repository":7}`))
	require.NoError(t, err)
	nc := s.Conn(t)
	require.NoError(t, nc.PublishMsg(&nats.Msg{
		Subject: "mlsdm.events.ci.degraded", Data: []byte(`{`), Header: nats.Header{events.HeaderContentType: {events.ContentTypeCloudEvent}},
	}))
	require.NoError(t, nc.Flush())
	_, err = c.PublishData(within(t), "ci.degraded", []byte(
		`{"repository":"a/b","workflow":"w","branch":"main","run_id":1,"run_attempt":1,"conclusion":"failure","consecutive_failures":3,"threshold":3}`))
	require.NoError(t, err)
	for sequence := range uint64(2) {
		var report *client.BadEventError
		require.ErrorAs(t, receive(t, bad), &report)
		require.Equal(t, sequence+1, report.Sequence)
	}
	require.Equal(t, 3, receive(t, good))
	requireSettled(t, s)
}

func TestTheLastThatBeganSaysWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	handler, got := collect()
	old := handle(t, c, muxOf("custom.a", handler), client.RetryWaits(10*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond))
	var mux client.Mux
	mux.OnEvent("custom.a", handler)
	mux.OnEvent("custom.b", handler)
	newer := handle(t, connect(t, s), &mux, client.RetryWaits(10*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond))
	for n := range 10 {
		publish(t, c, "custom.b", n)
	}
	old.Stop()
	seen := make(map[string]bool)
	for len(seen) < 10 {
		seen[string(receive(t, got).Data)] = true
	}
	newer.Stop()
	info := requireSettled(t, s)
	require.Equal(t, []string{"mlsdm.events.custom.a", "mlsdm.events.custom.b"}, info.Config.FilterSubjects)
}

func TestForgottenHandlers(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	handler, got := collect()
	h := handle(t, c, muxOf("custom.x", handler))
	publish(t, c, "custom.x", 1)
	requireNumbers(t, got, 1)
	require.Eventually(t, func() bool { return requireSettled(t, s).NumWaiting == 1 }, patience, 5*time.Millisecond)
	require.NoError(t, c.ForgetHandler(within(t), "test"))
	requireCode(t, events.CodeFailedPrecondition, h.Err())
	requireCode(t, events.CodeNotFound, c.ForgetHandler(within(t), "test"))
	requireCode(t, events.CodeInvalidArgument, c.ForgetHandler(within(t), ">"))
	requireConsumers(t, s, "MLSDM_EVENTS", 1) // the dispatcher's
}

func TestHandleRefuses(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	c := connect(t, s)
	handler, _ := collect()
	mux := muxOf("custom.x", handler)
	for _, name := range []string{"", "a.b", "a b", "*", "a/b", "ü", string(make([]byte, 65))} {
		_, err := c.Handle(t.Context(), name, mux)
		requireCode(t, events.CodeInvalidArgument, err)
	}
	for i, bad := range []client.HandleOption{
		client.Concurrency(0), client.Concurrency(client.MaxConcurrency + 1), client.TakeOver(time.Millisecond), client.TakeOver(2 * time.Hour),
		client.Drain(-1), client.RetryWaits(-1),
	} {
		_, err := c.Handle(t.Context(), "test", mux, bad)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), strconv.Itoa(i))
	}
	_, err := c.Handle(t.Context(), "test", &client.Mux{})
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = c.Handle(t.Context(), "test", muxOf("a..b", handler))
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = connect(t, bustest.Start(t, bustest.Bare())).Handle(t.Context(), "test", mux)
	requireCode(t, events.CodeFailedPrecondition, err)
	require.ErrorContains(t, err, "mlsdmctl provision")
}

func TestHandlersThatMayNotAsk(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	s.RestartWith(t, bustest.Configure(func(o *server.Options) {
		o.Users = []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"$JS.API.CONSUMER.MSG.NEXT.>"}},
		}}}
	}))
	handler, _ := collect()
	h := handle(t, connect(t, s, client.Password("u", "p")), muxOf("custom.x", handler))
	requireCode(t, events.CodePermissionDenied, h.Err())
}
