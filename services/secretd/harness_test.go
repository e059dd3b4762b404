package secretd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

const patience = 30 * time.Second

// canary is in every value, and must be nowhere else.
const canary = "sk-canary31337"

// running is a secretd on a bus.
type running struct {
	*bustest.Server

	log     *buffer
	metrics *prometheus.Registry
	checks  *health.Checks
	file    string // of rules
	stop    func()
}

// start runs a secretd on a bus of its own, whose environment this is, settings and secrets alike.
func start(t *testing.T, environment map[string]string) *running {
	t.Helper()
	return startOn(t, bustest.Start(t), environment)
}

// withRules runs a secretd with a file of rules.
func withRules(t *testing.T, text string, environment map[string]string, stores ...secret.Store) *running {
	t.Helper()
	return withRulesOn(t, bustest.Start(t), text, environment, stores...)
}

func withRulesOn(t *testing.T, on *bustest.Server, text string, environment map[string]string, stores ...secret.Store) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secrets.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	all := map[string]string{"SECRETD_CONFIG": file}
	maps.Copy(all, environment)
	r := startOn(t, on, all, stores...)
	r.file = file
	return r
}

// load reads the settings of an environment.
func load(environment map[string]string) (secretd.Config, error) {
	var cfg secretd.Config
	_, err := config.Load(&cfg, config.Options{Name: "secretd", Lookup: lookup(environment)})
	return cfg, err
}

func lookup(environment map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
}

// startOn runs a secretd on a bus on which there may be others. Stores take the place of its own.
func startOn(t *testing.T, on *bustest.Server, environment map[string]string, stores ...secret.Store) *running {
	t.Helper()
	for _, store := range stores { // which need settings, though nobody reads them
		if store.Source() == secret.StoreVault {
			environment = maps.Clone(environment)
			environment["VAULT_ADDR"], environment["VAULT_TOKEN"] = "http://127.0.0.1:1", "unused"
		}
	}
	cfg, err := load(environment)
	require.NoError(t, err)
	r := &running{Server: on, log: &buffer{}, metrics: prometheus.NewRegistry(), checks: health.NewChecks()}
	s, err := secretd.NewWithLookup(cfg, service.Deps{
		Name: "secretd", Version: "1.0.0", Tracer: bustest.Tracer(t), Bus: r.Connect(t, "secretd"), Metrics: r.metrics, Health: r.checks,
		Logger:       slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		DrainTimeout: 5 * time.Second,
	}, lookup(environment))
	require.NoError(t, err)
	for _, store := range stores {
		s.Replace(store)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(r.stop)
	admin := on.Connect(t, "admin")
	require.Eventually(t, func() bool { // it answers pings once it is subscribed to everything
		ask, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		_, err := admin.Request(ask, bus.Msg{Subject: "$SRV.PING.mlsdm-secretd"})
		return err == nil
	}, patience, time.Millisecond)
	return r
}

// as connects a caller.
func (r *running) as(t *testing.T, caller string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Connect(within(t), r.URL(), append(options, client.Caller(caller))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// get asks for a secret.
func (r *running) get(t *testing.T, caller, name string, options ...client.SecretOption) (client.Secret, error) {
	t.Helper()
	return r.as(t, caller).Secret(within(t), name, options...)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// requireCode checks the code of an error.
func requireCode(t *testing.T, want events.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, events.CodeOf(err), "%v", err)
}

// stored returns the messages of a stream on a subject, waiting until there are so many.
func stored[T any](t *testing.T, on *bustest.Server, stream, subject string, atLeast int) []T {
	t.Helper()
	b := on.Connect(t, "reader")
	var all []T
	require.Eventually(t, func() bool {
		all = all[:0]
		require.NoError(t, b.Scan(within(t), bus.ScanConfig{Stream: stream, Subjects: []string{subject}}, func(m *bus.Message) (bool, error) {
			all = append(all, decode[T](t, m.Body))
			return true, nil
		}))
		return len(all) >= atLeast
	}, patience, 10*time.Millisecond, "%d messages on %s", atLeast, subject)
	return all
}

// decode reads JSON: of an event, its data.
func decode[T any](t *testing.T, body []byte) T {
	t.Helper()
	var value T
	var event struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &event) == nil && event.Data != nil {
		body = event.Data
	}
	require.NoError(t, json.Unmarshal(body, &value))
	return value
}

// rotated returns the events about rotations, waiting until there are so many.
func rotated(t *testing.T, on *bustest.Server, atLeast int) []events.SecretRotated {
	t.Helper()
	return stored[events.SecretRotated](t, on, "MLSDM_EVENTS", "mlsdm.events.secret.rotated", atLeast)
}

// fake is a Vault whose answers a test sets.
type fake struct {
	source string

	mu      sync.Mutex
	entries map[string]secret.Entry
	every   *secret.Entry // what is where nothing else is
	err     error
	calls   int
	gate    chan struct{} // if not nil, calls wait for it
}

func newFake() *fake { return &fake{source: secret.StoreVault, entries: map[string]secret.Entry{}} }

// set sets what is at a path.
func (f *fake) set(path, version, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries[path] = secret.Entry{Value: secret.NewValue(text), Source: f.source, Version: version}
}

// always sets what is wherever nothing else is set.
func (f *fake) always(text string) {
	f.every = &secret.Entry{Value: secret.NewValue(text), Source: f.source, Version: "1"}
}

// fail has every call fail; nil is no failure.
func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// asked is how often it was asked.
func (f *fake) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Source implements [secret.Store].
func (f *fake) Source() string { return f.source }

// Get implements [secret.Store].
func (f *fake) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	f.mu.Lock()
	f.calls++
	gate, err, entry := f.gate, f.err, f.entries[ref.Path]
	if f.every != nil && entry.Value.IsZero() {
		entry = *f.every
	}
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return secret.Entry{}, ctx.Err()
		}
	}
	switch {
	case err != nil:
		return secret.Entry{}, err
	case entry.Value.IsZero():
		return secret.Entry{}, fmt.Errorf("fake: %w", secret.ErrNotFound)
	default:
		return entry, nil
	}
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
