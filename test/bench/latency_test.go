package bench_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

const (
	openLoop = 200 // events a second
	duration = 15  // seconds
	warmUp   = 100 // events that do not count
)

// latency is how long webhooks took from just before the publish of their event until the sink had read them.
type latency struct {
	name   string
	took   []time.Duration // sorted
	others float64         // cores that others used
}

// at returns a percentile, 0 to 1, in milliseconds.
func (l latency) at(p float64) float64 {
	return float64(l.took[min(int(p*float64(len(l.took))), len(l.took)-1)].Microseconds()) / 1000
}

// latency publishes events of a type at 200 a second, open loop, and tells how long they took to one endpoint.
func (s *stack) latency(b *testing.B, name string, p *publisher) latency {
	b.Helper()
	return s.latencies(b, name, p, 1, openLoop, openLoop*duration)
}

// latencies is latency for a number of endpoints, rate and events.
func (s *stack) latencies(b *testing.B, name string, p *publisher, endpoints, rate, count int) latency {
	b.Helper()
	s.reset(b, endpoints, warmUp)
	p.publishAt(b, rate, warmUp)
	s.await(b, endpoints*warmUp)
	s.reset(b, endpoints, count)
	p.next = 0
	p.run = runs.Add(1)
	before, start := s.usage(b), time.Now()
	p.publishAt(b, rate, count)
	s.await(b, endpoints*count)
	used := s.usage(b).since(before)
	l := latency{name: name, others: used.others().Seconds() / time.Since(start).Seconds()}
	s.ask(b, http.MethodGet, "/latencies", &l.took)
	require.Len(b, l.took, endpoints*count)
	slices.Sort(l.took)
	return l
}

// startFloor does the least that any such path must do: a stream, one consumer, one post; no routing, no signature, no
// second queue, no record of the attempt. It returns where its events are published.
func (s *stack) startFloor(b *testing.B) *publisher {
	b.Helper()
	_, err := s.js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "FLOOR", Subjects: []string{"floor.>"}})
	require.NoError(b, err)
	consumer, err := s.js.CreateConsumer(b.Context(), "FLOOR", jetstream.ConsumerConfig{Durable: "floor", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(b, err)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		go func() {
			resp, err := client.Post(s.sinkURL+"/ok/0", "application/json", bytes.NewReader(msg.Data())) //nolint:noctx // ends with the sink
			if err != nil {
				b.Errorf("floor: %v", err)
				return
			}
			if err := resp.Body.Close(); err != nil {
				b.Errorf("floor: %v", err)
			}
			if err := msg.Ack(); err != nil {
				b.Errorf("floor: %v", err)
			}
		}()
	})
	require.NoError(b, err)
	b.Cleanup(consuming.Stop)
	p := s.publisher(custom("floor"))
	p.subject = "floor.events"
	return p
}
