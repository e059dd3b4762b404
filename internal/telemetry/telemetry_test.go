package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
)

// startCollector returns the address of an OTLP collector, and what it is sent, with the path.
func startCollector(t *testing.T) (addr string, got <-chan *collector.ExportTraceServiceRequest, paths <-chan string) {
	t.Helper()
	requests, path := make(chan *collector.ExportTraceServiceRequest, 8), make(chan string, 8)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		path <- r.URL.Path
		requests <- &request
	}))
	t.Cleanup(s.Close)
	return s.URL, requests, path
}

func TestTracesReachTheCollector(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ flag, path, want string }{
		"base":                 {"--otlp-endpoint=", "", "/v1/traces"},
		"base with a path":     {"--otlp-endpoint=", "/otlp/", "/otlp/v1/traces"},
		"endpoint of its own":  {"--otlp-traces-endpoint=", "/mine", "/mine"},
		"base, trailing slash": {"--otlp-endpoint=", "/", "/v1/traces"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, got, paths := startCollector(t)
			tel, err := telemetry.New(t.Context(), settings(t, tt.flag+addr+tt.path), "embedder", "1.2.3", io.Discard)
			require.NoError(t, err)
			_, span := tel.Tracer.Tracer("test").Start(t.Context(), "embed")
			span.End()
			tel.Close(t.Context()) // sends what is left

			require.Equal(t, tt.want, <-paths)
			spans := (<-got).GetResourceSpans()
			require.Len(t, spans, 1)
			attributes := map[string]string{}
			for _, a := range spans[0].GetResource().GetAttributes() {
				attributes[a.GetKey()] = a.GetValue().GetStringValue()
			}
			require.Equal(t, "mlsdm-embedder", attributes["service.name"])
			require.Equal(t, "1.2.3", attributes["service.version"])
			require.Equal(t, "embed", spans[0].GetScopeSpans()[0].GetSpans()[0].GetName())
		})
	}
}

func TestWithoutEndpointNothingIsTraced(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(t.Context(), settings(t), "embedder", "1.2.3", io.Discard)
	require.NoError(t, err)
	require.IsType(t, noop.TracerProvider{}, tel.Tracer)
	tel.Close(t.Context())
}

// output is what was written, by several: a sender that was given up complains after the stop.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(line)
}

// String returns all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// A collector that does not answer must not hold up a stop, nor make it an error.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	var out output
	tel, err := telemetry.New(t.Context(), settings(t, "--otlp-endpoint="+s.URL), "embedder", "", &out)
	require.NoError(t, err)
	_, span := tel.Tracer.Tracer("test").Start(t.Context(), "embed")
	span.End()

	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	tel.Close(ctx)
	require.Less(t, time.Since(start), 20*time.Second)
	require.Contains(t, out.String(), "the last of it is lost")
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(t.Context(), settings(t, "--otlp-protocol=grpc", "--otlp-endpoint=http://127.0.0.1:1"), "embedder", "", io.Discard)
	require.NoError(t, err, "a collector need not be there")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tel.Close(ctx)
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		"--otlp-endpoint=127.0.0.1:4318", "--otlp-endpoint=ftp://x", "--otlp-traces-endpoint=http://", "--log-level=loud", "--log-format=xml",
		"--otlp-protocol=http/json",
	} {
		var c telemetry.Config
		_, err := config.Load(&c, config.Options{Name: "test", Args: []string{arg}})
		require.Error(t, err, arg)
	}
}
