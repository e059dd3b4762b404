package bench_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BenchmarkEmbed measures request-reply through mlsdm.embed with the built-in embedder, beside a bare NATS responder that
// answers with the same bytes and does nothing else.
func BenchmarkEmbed(b *testing.B) {
	s := bustest.Start(b)
	run(b, s, events.ServiceEmbedder, nil)
	request, err := json.Marshal(events.EmbeddingsRequest{
		Model: "local/hash-384", Input: events.TextInput{"the connection to the database was refused"}, EncodingFormat: events.EncodingBase64,
	})
	require.NoError(b, err)
	nc := s.Conn(b)
	answer, err := nc.Request("mlsdm.embed", request, time.Second)
	require.NoError(b, err)
	require.Empty(b, answer.Header.Get(events.HeaderErrorCode), string(answer.Data))
	_, err = s.Conn(b).QueueSubscribe("floor.embed", "q", func(msg *nats.Msg) {
		if err := msg.Respond(answer.Data); err != nil {
			b.Errorf("floor: %v", err)
		}
	})
	require.NoError(b, err)
	require.NoError(b, nc.Flush())

	for _, workers := range []int{1, 16} {
		b.Run(map[int]string{1: "serial", 16: "workers16"}[workers], func(b *testing.B) {
			// In turns, so that a busy neighbour meets both.
			var ours, floor []time.Duration
			var oursWall, floorWall time.Duration
			const rounds = 4
			for range rounds {
				took, wall := ask(b, s, "mlsdm.embed", request, workers)
				ours, oursWall = append(ours, took...), oursWall+wall
				took, wall = ask(b, s, "floor.embed", request, workers)
				floor, floorWall = append(floor, took...), floorWall+wall
			}
			report(b, ours, floor)
			b.ReportMetric(float64(len(ours))/oursWall.Seconds(), "req/s")
			b.ReportMetric(float64(len(floor))/floorWall.Seconds(), "floor-req/s")
		})
	}
}

// ask sends requests for about a second, each worker on a connection of its own, and returns how long each took.
func ask(b *testing.B, s *bustest.Server, subject string, request []byte, workers int) (took []time.Duration, wall time.Duration) {
	b.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for range workers {
		nc := s.Conn(b)
		wg.Go(func() {
			var mine []time.Duration
			for time.Since(start) < 600*time.Millisecond {
				begin := time.Now()
				if _, err := nc.Request(subject, request, 5*time.Second); err != nil {
					b.Errorf("%s: %v", subject, err)
					return
				}
				mine = append(mine, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	wg.Wait()
	return took, time.Since(start)
}
