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

// latency publishes 200 events a second, open loop, and tells how long they took to one endpoint.
func (s *stack) latency(b *testing.B, name string, p *publisher) latency {
	b.Helper()
	return s.latencies(b, name, p, openLoop, openLoop*duration, func(events int) int { return events })
}

// latencies is latency at any rate, for any number of events, of which some number arrive at a healthy endpoint.
func (s *stack) latencies(b *testing.B, name string, p *publisher, rate, count int, arrive func(events int) int) latency {
	b.Helper()
	s.reset(b, len(p.types), warmUp)
	p.publishAt(b, rate, warmUp)
	s.await(b, arrive(warmUp))
	s.reset(b, len(p.types), count)
	p.next, p.run = 0, runs.Add(1)
	before, start := s.usage(b), time.Now()
	p.publishAt(b, rate, count)
	s.await(b, arrive(count))
	used := s.usage(b).since(before)
	l := latency{name: name, others: used.others().Seconds() / time.Since(start).Seconds()}
	s.ask(b, http.MethodGet, "/latencies", &l.took)
	require.Len(b, l.took, arrive(count))
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
	p.subjects[0] = "floor.events"
	return p
}
