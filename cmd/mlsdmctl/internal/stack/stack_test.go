package stack_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/stack"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// options are those of a stack of all services, in a folder of its own.
func options(t *testing.T) stack.Options {
	t.Helper()
	return stack.Options{
		Addr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data"), AdminAddr: "127.0.0.1:0", Units: services.Units(),
		Logger: slog.New(slog.DiscardHandler), LoggerFor: func(string) *slog.Logger { return slog.New(slog.DiscardHandler) },
		Tracer: noop.NewTracerProvider(),
	}
}

func start(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop(s)) })
	ready(t, s)
	return s
}

func stop(s *stack.Stack) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return s.Stop(ctx)
}

func ready(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, s.Ready(ctx))
}

// embed asks the stack for an embedding.
func embed(t *testing.T, s *stack.Stack) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{URLs: []string{s.URL()}}, "test", bus.Options{})
	require.NoError(t, err)
	_, err = b.Request(t.Context(), bus.Msg{Subject: b.Subjects().Interactive("", events.OpEmbed), Body: []byte(`{"input":"hello"}`)})
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
}

func TestStackLivesAndLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	o := options(t)
	begun := time.Now()
	s, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	ready(t, s)
	require.Less(t, time.Since(begun), 20*time.Second, "0.15 s on an idle machine")
	require.Len(t, s.Services(), len(o.Units))
	embed(t, s)
	for path, want := range map[string]string{"/livez": "ok", "/readyz": `"status"`, "/metrics": `service="embedder"`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.AdminURL()+path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Contains(t, string(body), want)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	}

	_, err = stack.Start(t.Context(), o)
	require.ErrorContains(t, err, "in use by another process", "two servers on the same files would ruin them")

	require.NoError(t, stop(s))
	require.NoError(t, stop(s), "a second time is nothing")
	require.ErrorContains(t, s.Restart(t.Context(), events.ServiceEmbedder), "being stopped")

	again, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	ready(t, again)
	embed(t, again)
	require.NoError(t, stop(again))

	http.DefaultClient.CloseIdleConnections()
	const few = 5 // of the runtime's and of the server's own, which end by themselves
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+few }, 10*time.Second, 20*time.Millisecond, "goroutines are left behind")
}

func TestRestartsAndAStopAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	require.ErrorContains(t, s.Restart(t.Context(), "nobody"), "no service")
	require.NoError(t, s.Restart(t.Context(), events.ServiceEmbedder))
	ready(t, s)
	embed(t, s)
	var all sync.WaitGroup
	for _, name := range []string{events.ServiceEmbedder, events.ServiceEmbedder, events.ServiceDispatcher} {
		all.Go(func() {
			if err := s.Restart(t.Context(), name); err != nil && !strings.Contains(err.Error(), "being stopped") {
				t.Error(name, err)
			}
		})
	}
	all.Go(func() {
		if err := stop(s); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	select {
	case err := <-s.Failed():
		t.Fatal(err)
	default:
	}
}

// faulty is a service that fails once it runs.
type faulty struct{}

func (faulty) Run(context.Context) error { return os.ErrInvalid }

func TestAServiceThatFailsIsReported(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Units = []service.Unit{service.Define(events.ServiceSecretd, "Fails.", func(struct{}, service.Deps) (faulty, error) { return faulty{}, nil })}
	s, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop(s)) })
	require.ErrorIs(t, s.Ready(t.Context()), os.ErrInvalid)
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	taken := start(t, options(t))
	for name, c := range map[string]struct {
		change func(*stack.Options)
		want   string
	}{
		"an address that others reach": {func(o *stack.Options) { o.Addr = "0.0.0.0:4222" }, "not a loopback address"},
		"all addresses":                {func(o *stack.Options) { o.Addr = ":4222" }, "not a loopback address"},
		"no port":                      {func(o *stack.Options) { o.Addr = "127.0.0.1" }, "HOST:PORT"},
		"a port that is taken": {func(o *stack.Options) {
			o.Addr = strings.TrimPrefix(taken.URL(), "nats://")
		}, "is taken"},
		"an admin port that is taken": {func(o *stack.Options) {
			o.AdminAddr = strings.TrimPrefix(taken.AdminURL(), "http://")
		}, "in use by another process"},
		"a data folder that is a file": {func(o *stack.Options) {
			o.DataDir = filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(o.DataDir, nil, 0o600))
		}, "data folder"},
		"a folder in which the server cannot work": {func(o *stack.Options) {
			require.NoError(t, os.MkdirAll(o.DataDir, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(o.DataDir, "jetstream"), nil, 0o600))
		}, "does not start"},
		"a setting that is wrong": {func(o *stack.Options) {
			o.Source.Lookup = func(name string) (string, bool) {
				return map[string]string{"MLSDM_DRAIN_TIMEOUT": "soon"}[name], name == "MLSDM_DRAIN_TIMEOUT"
			}
		}, "drain-timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			c.change(&o)
			begun := time.Now()
			_, err := stack.Start(t.Context(), o)
			require.ErrorContains(t, err, c.want)
			require.Less(t, time.Since(begun), 10*time.Second)
			_, err = os.Stat(filepath.Join(o.DataDir, "lock"))
			if err == nil { // nothing holds it any more
				ok := options(t)
				ok.DataDir, ok.Units = o.DataDir, nil
				if name != "a folder in which the server cannot work" {
					s, err := stack.Start(t.Context(), ok)
					require.NoError(t, err)
					require.NoError(t, stop(s))
				}
			}
		})
	}
}
