package dispatcher_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// benchmarkEvent is an event of about 1 KiB.
func benchmarkEvent(n int) events.Event {
	return events.Event{
		ID: "event-" + strconv.Itoa(n), Source: "/test", Type: "custom.load", Time: time.Now(),
		Data: []byte(`{"text":"` + strings.Repeat("x", 900) + `"}`),
	}
}

// BenchmarkPublishToReceived is the latency of one event at a time, from before its publish until the receiver has it.
func BenchmarkPublishToReceived(b *testing.B) {
	srv := bustest.Start(b)
	to := newReceiver(b, nil)
	r := run(b, srv, config(to.url))
	for n := 0; b.Loop(); n++ {
		_, err := r.bus.PublishEvent(b.Context(), benchmarkEvent(n))
		require.NoError(b, err)
		to.next(b)
	}
}

// BenchmarkThroughput publishes as fast as JetStream takes events; broker, dispatcher and receiver share the machine.
func BenchmarkThroughput(b *testing.B) {
	srv := bustest.Start(b)
	to := newReceiver(b, nil)
	cfg := config(to.url)
	cfg.Workers = 64
	r := run(b, srv, cfg)
	const batch = 200
	for n := 0; b.Loop(); n++ {
		msgs := make([]bus.Msg, batch)
		for i := range msgs {
			ev := benchmarkEvent(n*batch + i)
			subject, header, body, err := ev.Message(r.bus.Subjects())
			require.NoError(b, err)
			msgs[i] = bus.Msg{Subject: subject, ID: ev.ID, Header: header, Body: body}
		}
		require.NoError(b, r.bus.PublishAll(b.Context(), msgs))
		for range batch {
			to.next(b)
		}
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "deliveries/s")
}
