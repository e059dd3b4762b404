package generator_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
)

// cpu is the time that this process has used.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// callersAtOnce is how many callers ask at the same time.
const callersAtOnce = 32

// BenchmarkTraced is what a request takes that a provider answers, broker, provider and caller included, without tracing and with every
// request traced and exported to nobody. The rounds are taken in turn, so that a machine with other work is fair to both; what tells is
// the difference of cpu-ns/op.
func BenchmarkTraced(b *testing.B) {
	provider := llmtest.NewServer(b)
	ask := func(tracer trace.TracerProvider) func(n int) time.Duration {
		cfg, err := configure(b, map[string]string{"OPENAI_API_KEY": llmtest.Key, "OPENAI_BASE_URL": provider.URL, "GENERATOR_REQUEST_EVENTS": "0"})
		require.NoError(b, err)
		srv := doortest.Start(b)
		g, err := generator.New(cfg, service.Deps{
			Name: "generator", Version: "1.0.0", Bus: srv.Server.ConnectTraced(b, "generator", tracer), Logger: bustest.Logger(b),
			Metrics: prometheus.NewRegistry(), Health: health.NewChecks(), Tracer: tracer, DrainTimeout: 5 * time.Second,
		})
		require.NoError(b, err)
		srv.Run(b, "generator", g)
		conn := srv.Server.Conn(b)
		body := []byte(`{"model":"openai/gpt-4o","prompt":"hello","max_completion_tokens":100,"temperature":0.5}`)
		return func(n int) time.Duration {
			var callers errgroup.Group
			before := cpu(b)
			for range callersAtOnce {
				callers.Go(func() error {
					for range n / callersAtOnce {
						msg, err := conn.RequestMsg(bustest.Message(interactive, "", nil, body), doortest.Patience)
						if err != nil {
							return err
						}
						if failure := events.DecodeError(msg.Header, msg.Data); failure != nil {
							return failure
						}
					}
					return nil
				})
			}
			require.NoError(b, callers.Wait())
			return cpu(b) - before
		}
	}
	exporting := sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	b.Cleanup(func() { require.NoError(b, exporting.Shutdown(context.Background())) })
	untraced, traced := ask(noop.NewTracerProvider()), ask(exporting)
	const round = 10 * callersAtOnce
	untraced(round)
	traced(round)
	var without, with time.Duration
	rounds := 0
	for b.Loop() {
		without += untraced(round)
		with += traced(round)
		rounds++
	}
	n := float64(rounds * round)
	b.ReportMetric(float64(without.Nanoseconds())/n, "untraced-cpu-ns/req")
	b.ReportMetric(float64(with.Nanoseconds())/n, "traced-cpu-ns/req")
	b.ReportMetric(float64((with-without).Nanoseconds())/n, "added-cpu-ns/req")
}
