package secretd_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

const patience = 20 * time.Second

// running is a secretd on a bus of its own.
type running struct {
	*bustest.Server

	log     *buffer
	metrics *prometheus.Registry
	checks  *health.Checks
	stop    func()
}

// start runs a secretd whose environment this is, settings and secrets alike.
func start(t *testing.T, environment map[string]string) *running {
	t.Helper()
	lookup := func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
	var cfg secretd.Config
	_, err := config.Load(&cfg, config.Options{Name: "secretd", Lookup: lookup})
	require.NoError(t, err)
	r := &running{Server: bustest.Start(t, bustest.Bare()), log: &buffer{}, metrics: prometheus.NewRegistry(), checks: health.NewChecks()}
	s, err := secretd.NewWithLookup(cfg, service.Deps{
		Name: "secretd", Version: "1.0.0", Bus: r.Connect(t, "secretd"), Metrics: r.metrics, Health: r.checks,
		Logger:       slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		DrainTimeout: 5 * time.Second,
	}, lookup)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(r.stop)
	nc := r.Conn(t)
	require.Eventually(t, func() bool {
		_, err := nc.Request("$SRV.PING.mlsdm-secretd", nil, 100*time.Millisecond)
		return err == nil
	}, patience, time.Millisecond)
	return r
}

// as connects a caller.
func (r *running) as(t *testing.T, caller string) *client.Client {
	t.Helper()
	c, err := client.Connect(within(t), r.URL(), client.Caller(caller))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// requireCode checks the code of an error.
func requireCode(t *testing.T, want events.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, events.CodeOf(err), "%v", err)
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what was written.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// records are the lines of the audit log.
func (b *buffer) records() []string {
	var records []string
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, `"a secret was asked for"`) {
			records = append(records, line)
		}
	}
	return records
}
