package trace_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/natstrace"
)

// What it costs the process, server included, that the server tells of messages: nothing where no trace is sampled.
func BenchmarkStore(b *testing.B) {
	sampled := nats.Header{"traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}
	unsampled := nats.Header{"traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}}
	for _, c := range []struct {
		name    string
		options []bustest.Option
		header  nats.Header
		bridged bool
	}{
		{"off/no trace", nil, nats.Header{"x": {"y"}}, false},
		{"on/no trace", []bustest.Option{bustest.Traced()}, nats.Header{"x": {"y"}}, false},
		{"off/not sampled", nil, unsampled, false},
		{"on/not sampled", []bustest.Option{bustest.Traced()}, unsampled, false},
		{"off/sampled", nil, sampled, false},
		{"on/sampled, nobody hears", []bustest.Option{bustest.Traced()}, sampled, false},
		{"on/sampled, made spans of", []bustest.Option{bustest.Traced()}, sampled, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			server := bustest.Start(b, c.options...)
			nc := server.Conn(b)
			js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256))
			require.NoError(b, err)
			if c.bridged {
				bridge := natstrace.New(sdktrace.NewTracerProvider())
				sub, err := server.Conn(b).Subscribe("mlsdm.trace.hops", func(m *nats.Msg) { require.NoError(b, bridge.Handle(m.Data)) })
				require.NoError(b, err)
				require.NoError(b, sub.SetPendingLimits(-1, -1))
			}
			before := cpu(b)
			for b.Loop() {
				_, err := js.PublishMsgAsync(&nats.Msg{Subject: "mlsdm.events.custom.x", Header: c.header, Data: []byte("{}")})
				require.NoError(b, err)
			}
			<-js.PublishAsyncComplete()
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu is what the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
