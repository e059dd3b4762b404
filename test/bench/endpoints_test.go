package bench_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// create makes n endpoints, numbered from 0, for one type of events each.
func (s *stack) create(b *testing.B, n int, eventType func(n int) string) {
	b.Helper()
	const atOnce = 16
	var next atomic.Int64
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				id := strconv.Itoa(i)
				if err := s.createOne(events.EndpointSpec{
					ID: "bench-" + id, URL: s.sinkURL + "/ok/" + id, Events: []string{eventType(i)},
				}); err != nil {
					b.Errorf("endpoint %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// createBad makes an endpoint that fails in its own way.
func (s *stack) createBad(b *testing.B, kind, eventType string) {
	b.Helper()
	require.NoError(b, s.createOne(events.EndpointSpec{
		ID: "bad-" + kind, URL: s.sinkURL + "/" + kind + "/0", Events: []string{eventType}, Timeout: "2s", Retry: []string{"1s", "2s", "5s"},
	}))
}

// createOne makes an endpoint over the bus.
func (s *stack) createOne(spec events.EndpointSpec) error {
	spec.Signing = []events.EndpointSigning{{Key: "env:WEBHOOK_BENCH_KEY"}}
	body, err := json.Marshal(events.EndpointCreateRequest{Endpoint: spec})
	if err != nil {
		return err
	}
	reply, err := s.nc.Request(events.Subjects{}.Interactive("", events.OpEndpointsCreate), body, 10*time.Second)
	if err != nil {
		return err
	}
	if code := reply.Header.Get(events.HeaderErrorCode); code != "" {
		return fmt.Errorf("%s: %s", code, reply.Data)
	}
	return nil
}

// letters makes a name of a number.
func letters(n int) string { return "n" + strconv.Itoa(n) }

// park has retries wait with JetStream's scheduler, for longer than the benchmark takes.
func (s *stack) park(b *testing.B, n int) {
	b.Helper()
	subjects, at := events.Subjects{}, time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)
	p := s.publisher(custom("parked"))
	for i := range n {
		msg := p.message()
		msg.Subject = subjects.DeliveryLater("parked-" + strconv.Itoa(i))
		msg.Header = nats.Header{
			events.HeaderSchedule: {"@at " + at}, events.HeaderScheduleTarget: {subjects.DeliveryAgain("default")},
			events.HeaderDelivery: {"parked-" + strconv.Itoa(i)}, events.HeaderEndpoint: {"default"}, events.HeaderAttempt: {"2"},
		}
		_, err := s.js.PublishMsgAsync(msg)
		require.NoError(b, err)
	}
	p.done(b)
	require.GreaterOrEqual(b, s.waiting(b).CachedInfo().State.Msgs, uint64(n), "the retries do not wait")
}

// waiting is the stream in which retries wait.
func (s *stack) waiting(b *testing.B) jetstream.Stream {
	b.Helper()
	name, err := s.js.StreamNameBySubject(b.Context(), events.Subjects{}.DeliveryLater("any"))
	require.NoError(b, err)
	stream, err := s.js.Stream(b.Context(), name)
	require.NoError(b, err)
	return stream
}

// unpark takes them away.
func (s *stack) unpark(b *testing.B) {
	b.Helper()
	require.NoError(b, s.waiting(b).Purge(b.Context()))
}

// idle is the memory of a dispatcher that has just started and has nothing to do.
func (s *stack) idle(b *testing.B) memory {
	b.Helper()
	s.stopDispatchers(b)
	s.startDispatchers(b, 1)
	<-time.After(2 * time.Second) // what it loads, it has loaded
	return s.memory()
}
