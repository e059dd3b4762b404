package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
)

// settings returns the configuration that the given command line makes.
func settings(t *testing.T, args ...string) telemetry.Config {
	t.Helper()
	var c telemetry.Config
	_, err := config.Load(&c, config.Options{Name: "test", Args: args})
	require.NoError(t, err)
	return c
}

func newLogger(t *testing.T, out *bytes.Buffer, args ...string) *slog.Logger {
	t.Helper()
	tel, err := telemetry.New(t.Context(), settings(t, args...), "embedder", "1.2.3", out)
	require.NoError(t, err)
	return tel.Logger
}

func TestLogFormats(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	newLogger(t, &out, "--log-format=text").Info("hello", "attempt", 2)
	require.Contains(t, out.String(), "level=INFO msg=hello service=embedder attempt=2\n")

	for _, format := range []string{"json", "auto"} { // a buffer is no terminal
		out.Reset()
		newLogger(t, &out, "--log-format="+format).Info("hello", "attempt", 2)
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line))
		require.Equal(t, "hello", line["msg"])
		require.Equal(t, "embedder", line["service"])
		require.InDelta(t, 2, line["attempt"], 0)
	}
}

func TestLogAutoOnAFileIsJSON(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	tel, err := telemetry.New(t.Context(), settings(t), "embedder", "", f)
	require.NoError(t, err)
	tel.Logger.Info("hello")
	text, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.True(t, json.Valid(text))
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		var out bytes.Buffer
		log := newLogger(t, &out, "--log-level="+level)
		log.Debug("d")
		log.Info("i")
		log.Warn("w")
		log.Error("e")
		require.Equal(t, want, bytes.Count(out.Bytes(), []byte("\n")), level)
	}
}

func TestLogLeadsToTheTrace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := newLogger(t, &out, "--log-format=text").With("subject", "mlsdm.embed").WithGroup("g")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	log.InfoContext(trace.ContextWithSpanContext(t.Context(), span), "with")
	require.Contains(t, out.String(), "trace_id=01000000000000000000000000000000")
	require.Contains(t, out.String(), "span_id=0200000000000000")
	require.Contains(t, out.String(), "subject=mlsdm.embed")

	out.Reset()
	log.InfoContext(t.Context(), "without")
	require.NotContains(t, out.String(), "trace_id")
}

func TestLoggerForAnotherService(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(t.Context(), settings(t, "--log-format=text"), "up", "", &out)
	require.NoError(t, err)
	tel.LoggerFor("embedder").Info("hello")
	require.Contains(t, out.String(), "service=embedder")
	require.NotContains(t, out.String(), "service=up")
}
