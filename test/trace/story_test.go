package trace_test

import (
	"context"
	"encoding/base64"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/otlptest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// patience is for what happens within seconds on an idle machine.
const patience = 60 * time.Second

// settled is how long a trace must have been the same to be taken for whole: exporters send every five seconds.
const settled = 12 * time.Second

var update = flag.Bool("update", false, "write the golden files anew") //nolint:gochecknoglobals // a flag of the test binary

// twoProviders are a model whose first provider fails.
const twoProviders = `
providers:
  bad: {protocol: openai, base_url: "$bad", keys: ["file:$key"]}
  good: {protocol: openai, base_url: "$good", keys: ["file:$key"]}
models:
  fast: {targets: [bad/m, good/m], retries: 0}
`

// From the span of who asks, over the broker, two providers, of which the first fails, and the event about it, to the third attempt at
// the webhook, which succeeds: all of it is one trace.
func TestOneTraceFromTheRequestToTheWebhook(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/protobuf", telemetry.ProtocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			collector := otlptest.Start(t)
			endpoint := collector.HTTP
			if protocol == telemetry.ProtocolGRPC {
				endpoint = collector.GRPC
			}
			id := tell(t, telemetry.Config{LogLevel: "error", LogFormat: telemetry.FormatText, Endpoint: endpoint, Protocol: protocol})
			golden(t, "testdata/story.txt", func() string { return tree(collector.Trace(id)) })
		})
	}
}

// golden waits until what there is equals a file.
func golden(t *testing.T, file string, now func() string) {
	t.Helper()
	if *update {
		last, since := "", time.Now()
		require.Eventually(t, func() bool {
			if got := now(); got != last {
				last, since = got, time.Now()
			}
			return time.Since(since) > settled
		}, patience, 10*time.Millisecond)
		require.NoError(t, os.WriteFile(file, []byte(last), 0o600))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	want := string(text)
	for deadline := time.Now().Add(patience); now() != want && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
	}
	require.Equal(t, want, now(), "go test -update writes it anew")
}

// tell has it all happen, up to the webhook, and returns the trace.
func tell(t *testing.T, c telemetry.Config) trace.TraceID {
	t.Helper()
	server := bustest.Start(t, bustest.Closed())
	delivered := make(chan http.Header, 1)
	run(t, server, c, events.ServiceDispatcher, map[string]string{
		"WEBHOOK_URL": receiver(t, delivered), "WEBHOOK_SECRET": "a secret", "WEBHOOK_EVENTS": events.TypeRequestProcessed,
		"WEBHOOK_ALLOW_LOOPBACK": "true", "WEBHOOK_RETRY": "50ms,50ms,50ms",
		"WEBHOOK_SEAL_KEYS": base64.StdEncoding.EncodeToString(make([]byte, 32)),
	})
	run(t, server, c, events.ServiceGenerator, map[string]string{"GENERATOR_CONFIG": config(t)})

	shop, err := telemetry.New(t.Context(), c, "shop", "1", io.Discard)
	require.NoError(t, err)
	ctx, span := shop.Tracer.Tracer("shop").Start(t.Context(), "order", trace.WithSpanKind(trace.SpanKindProducer))
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	nc := server.User(t, permissions.Client)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.PublishMsg(t.Context(), &nats.Msg{
		Subject: "mlsdm.as.client.requests.generate", Data: []byte(`{"model":"fast","prompt":"hello"}`),
		Header: nats.Header{"TraceParent": {carrier["traceparent"]}, "Nats-Msg-Id": {"order-1"}, "Mlsdm-Request-Id": {"order-1"}}, // as another language writes it
	})
	require.NoError(t, err)
	span.End()
	shop.Close(t.Context())

	select {
	case header := <-delivered:
		require.Contains(t, header.Get("traceparent"), span.SpanContext().TraceID().String(), "the receiver can go on with the trace")
	case <-time.After(patience):
		require.Fail(t, "the webhook was not delivered")
	}
	return span.SpanContext().TraceID()
}

// run runs a service with a tracer of its own, until the test ends.
func run(t *testing.T, server *bustest.Server, c telemetry.Config, name string, env map[string]string) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), c, name, "1", t.Output())
	require.NoError(t, err)
	connected, err := bus.Connect(t.Context(), server.Config(), name, bus.Options{Key: server.Key(t, name), Tracer: tel.Tracer, Logger: bustest.Logger(t)})
	require.NoError(t, err)
	var instance service.Instance
	for _, unit := range services.Units() {
		if unit.Name == name {
			instance, err = unit.Load(service.Source{Lookup: func(name string) (string, bool) {
				value, ok := env[name]
				return value, ok
			}})
			require.NoError(t, err)
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- instance.Run(ctx, service.Deps{Bus: connected, Logger: bustest.Logger(t), Tracer: tel.Tracer, DrainTimeout: 5 * time.Second})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done, name)
		closing, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, connected.Close(closing))
		tel.Close(closing)
	})
	ping := server.User(t, permissions.Client)
	require.Eventually(t, func() bool {
		_, err := ping.Request("$SRV.PING."+events.MicroName(name), nil, time.Second)
		return err == nil
	}, patience, 10*time.Millisecond, name)
}

// receiver takes webhooks, the third time it is asked to, and says then with which headers.
func receiver(t *testing.T, delivered chan<- http.Header) string {
	t.Helper()
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		delivered <- req.Header
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook"
}

// config is the generator's, with a provider that fails and one that does not.
func config(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	key, file := filepath.Join(dir, "key"), filepath.Join(dir, "generator.yaml")
	require.NoError(t, os.WriteFile(key, []byte(llmtest.Key), 0o600))
	bad, good := llmtest.NewServer(t), llmtest.NewServer(t)
	bad.Script(llmtest.Answer(http.StatusInternalServerError, `{"error":{"message":"no"}}`))
	text := os.Expand(twoProviders, func(name string) string { return map[string]string{"bad": bad.URL, "good": good.URL, "key": key}[name] })
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}
