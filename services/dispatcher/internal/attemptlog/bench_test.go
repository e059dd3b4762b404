package attemptlog_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/attemptlog"
)

// sink takes messages and forgets them.
type sink struct{}

func (sink) Publish(context.Context, bus.Msg) (bus.Ack, error) { return bus.Ack{}, nil }
func (sink) MaxPayload() int64                                 { return 8 << 20 }

// BenchmarkAdd is all that one record costs short of the bus: writing it, batching it and handing the batch on.
func BenchmarkAdd(b *testing.B) {
	at := time.Now()
	r := events.DeliveryAttempt{
		DeliveryID: "0123456789abcdef0123456789abcdef", EndpointID: "shop", EventID: "019c12b0-8000-7000-8000-000000000000",
		EventType: "custom.load", Attempt: 1, At: at, LatencyMS: 1.234, Status: 200, Outcome: events.AttemptDelivered,
		Timing: &events.AttemptTiming{FirstByteMS: 1.1}, Response: "ok",
	}
	sent := []egress.Field{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: "mlsdm-webhooks/1.2.3"},
		{Name: "webhook-id", Value: "019c12b0-8000-7000-8000-000000000000"},
		{Name: "webhook-timestamp", Value: "1700000000"},
		{Name: "traceparent", Value: "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"},
	}
	lost := new(atomic.Int64) // a loop that does nothing else may outrun Run
	l := attemptlog.New(sink{}, events.Subjects{}, slog.New(slog.DiscardHandler), func(n int) { lost.Add(int64(n)) })
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.Run(b.Context(), stop)
	}()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Add(r, sent)
		}
	})
	close(stop)
	<-done
	b.ReportMetric(float64(lost.Load())/float64(b.N), "lost/op")
}
