package services_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// town is a bus with a model provider that takes one key, and a store of secrets (the environment of secretd) that has one.
type town struct {
	*bustest.Server

	log      *safeBuffer
	checks   *health.Checks
	provider *httptest.Server

	mu      sync.Mutex
	stored  string          // in the store
	taken   map[string]bool // by the provider
	refused int             // requests with another key
}

func newTown(t *testing.T) *town {
	t.Helper()
	c := &town{Server: bustest.Start(t), log: &safeBuffer{}, checks: health.NewChecks(), stored: first, taken: map[string]bool{first: true}}
	model := llmtest.NewServer(t)
	c.provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		c.mu.Lock()
		taken := c.taken[sent]
		if !taken {
			c.refused++
		}
		c.mu.Unlock()
		if !taken {
			http.Error(w, `{"error":{"message":"Incorrect API key provided: `+sent+`","code":"invalid_api_key"}}`, http.StatusUnauthorized)
			return
		}
		r.Header.Set("Authorization", "Bearer "+llmtest.Key)
		model.ServeHTTP(w, r)
	}))
	t.Cleanup(c.provider.Close)
	return c
}

// change changes the store, or what the provider takes.
func (c *town) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// refusals is how many requests had a key that the provider did not take.
func (c *town) refusals() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// lookup is the environment of secretd as a store.
func (c *town) lookup(name string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stored, name == "OPENAI_API_KEY" && c.stored != ""
}

// run runs a unit until the test ends.
func (c *town) run(t *testing.T, u service.Unit, environment map[string]string) {
	t.Helper()
	instance, err := u.Load(service.Source{Lookup: func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}})
	require.NoError(t, err)
	b := c.Connect(t, u.Name)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- instance.Run(ctx, service.Deps{
			Bus: b, Tracer: bustest.Tracer(t), Health: c.checks.Sub(u.Name), DrainTimeout: 5 * time.Second,
			Logger: slog.New(slog.NewJSONHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// runModels runs the services that use the key, and secretd after them, which is the order in which they can wait for each other.
func (c *town) runModels(t *testing.T, environment map[string]string) {
	t.Helper()
	all := map[string]string{"OPENAI_API_KEY": "secret:openai_api_key", "OPENAI_BASE_URL": c.provider.URL + "/v1", "CACHE_MEMORY_MB": "0"}
	maps.Copy(all, environment)
	c.run(t, service.Define(events.ServiceEmbedder, embedder.Summary, embedder.New), all)
	c.run(t, service.Define(events.ServiceGenerator, generator.Summary, generator.New), all)
}

func (c *town) runSecretd(t *testing.T, environment map[string]string) {
	t.Helper()
	c.run(t, service.Define(events.ServiceSecretd, secretd.Summary, func(cfg secretd.Config, deps service.Deps) (*secretd.Service, error) {
		return secretd.NewWithLookup(cfg, deps, c.lookup)
	}), environment)
}

// ready waits until every service is.
func (c *town) ready(t *testing.T) {
	t.Helper()
	nc := c.Conn(t)
	require.Eventually(t, func() bool {
		for _, name := range []string{"mlsdm-embedder", "mlsdm-generator", "mlsdm-secretd"} {
			if _, err := nc.Request("$SRV.PING."+name, nil, time.Second); err != nil {
				return false
			}
		}
		return c.checks.Run(t.Context()).Status != health.StatusNotReady
	}, patience, 10*time.Millisecond)
}

// traffic asks both services all the time, and counts what fails.
type traffic struct {
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex
	asked  int
	errors []error
}

// ask begins to ask until the test ends, or [traffic.end].
func (c *town) ask(t *testing.T) *traffic {
	t.Helper()
	conn, err := client.Connect(t.Context(), c.URL(), client.Caller("shop"))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	ctx, cancel := context.WithCancel(context.Background())
	f := &traffic{cancel: cancel}
	t.Cleanup(f.end)
	for range 4 {
		f.all.Go(func() {
			f.drive(ctx, func(ctx context.Context) error {
				_, err := conn.Embed(ctx, events.EmbeddingsRequest{Model: "openai/m", Input: []string{"a text"}})
				return err
			})
		})
		f.all.Go(func() {
			f.drive(ctx, func(ctx context.Context) error {
				_, err := conn.Generate(ctx, events.ChatRequest{Model: "openai/m", Prompt: "hello"})
				return err
			})
		})
	}
	return f
}

func (f *traffic) drive(ctx context.Context, ask func(context.Context) error) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		err := ask(one)
		cancel()
		f.mu.Lock()
		f.asked++
		if err != nil {
			f.errors = append(f.errors, err)
		}
		f.mu.Unlock()
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// more waits until a number of requests that begin now have ended.
func (f *traffic) more(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.asked
	}
	until := count() + 8 + n // 8 are perhaps under way
	require.Eventually(t, func() bool { return count() >= until }, patience, time.Millisecond)
}

func (f *traffic) end() {
	f.cancel()
	f.all.Wait()
}

// requireNoneFailed ends the traffic.
func (f *traffic) requireNoneFailed(t *testing.T) {
	t.Helper()
	f.end()
	require.Empty(t, f.errors)
	require.NotZero(t, f.asked)
}

const (
	first  = "sk-canary31337-first"
	second = "sk-canary31337-second"
)

// requireQuiet checks that no key is in the logs.
func (c *town) requireQuiet(t *testing.T) {
	t.Helper()
	require.NotContains(t, c.log.String(), "canary31337")
}

// From one moment on the provider takes the new key only. Nobody was told; whoever is refused asks, and no request fails.
func TestRotationFailsNoRequest(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.runModels(t, map[string]string{"MLSDM_SECRET_REFRESH": "1h"})
	c.runSecretd(t, map[string]string{"SECRETD_ALLOW": "openai_api_key"})
	c.ready(t)
	f := c.ask(t)
	f.more(t, 50)
	require.Zero(t, c.refusals())
	c.change(func() {
		c.stored = second
		c.taken = map[string]bool{second: true}
	})
	f.more(t, 200)
	f.requireNoneFailed(t)
	require.Positive(t, c.refusals(), "that is how they found out")
	c.requireQuiet(t)
}

// The provider takes both keys for a while, as good ones do. When secretd is told of the new one, everybody has it before the
// old one ends.
func TestRotationIsPushed(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.runModels(t, map[string]string{"MLSDM_SECRET_REFRESH": "1h"})
	c.runSecretd(t, map[string]string{"SECRETD_ALLOW": "openai_api_key"})
	c.ready(t)
	f := c.ask(t)
	f.more(t, 50)
	c.change(func() {
		c.stored = second
		c.taken = map[string]bool{first: true, second: true}
	})
	began := time.Now()
	c.push(t)
	require.Eventually(t, func() bool { return strings.Count(c.log.String(), `"changed":true`) >= 2 }, patience, time.Millisecond)
	t.Logf("in use %s after the push", time.Since(began).Round(time.Millisecond))
	f.more(t, 0) // those that began before
	c.change(func() { c.taken = map[string]bool{second: true} })
	f.more(t, 100)
	f.requireNoneFailed(t)
	require.Zero(t, c.refusals(), "nobody came with the old key")
	c.requireQuiet(t)
}

// push says that the secret was rotated, as secretd does when it sees that.
func (c *town) push(t *testing.T) {
	t.Helper()
	b := c.Connect(t, "secretd")
	event, err := events.New("/mlsdm/secretd", events.SecretRotated{Name: "openai_api_key", Store: "env"})
	require.NoError(t, err)
	subject, header, body, err := event.Message(b.Subjects())
	require.NoError(t, err)
	_, err = b.Publish(t.Context(), bus.Msg{Subject: subject, Header: header, Body: body})
	require.NoError(t, err)
}

// Nobody is refused and nobody tells: the interval is enough.
func TestRotationIsSeenInTime(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.runModels(t, map[string]string{"MLSDM_SECRET_REFRESH": "1s"})
	c.runSecretd(t, map[string]string{"SECRETD_ALLOW": "openai_api_key", "SECRETD_TTL": "1s"})
	c.ready(t)
	f := c.ask(t)
	c.change(func() {
		c.stored = second
		c.taken = map[string]bool{first: true, second: true}
	})
	require.Eventually(t, func() bool { return strings.Count(c.log.String(), `"changed":true`) >= 2 }, patience, time.Millisecond)
	f.requireNoneFailed(t)
	require.Zero(t, c.refusals())
	c.requireQuiet(t)
}

// Services that start before secretd wait for it, and say so.
func TestServicesWaitForTheirSecrets(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.runModels(t, nil)
	require.Eventually(t, func() bool {
		report := c.checks.Run(t.Context())
		return report.Status == health.StatusNotReady &&
			strings.Contains(report.Checks["embedder/secrets"].Message, "openai-api-key (secret:openai_api_key): the store of secrets is unavailable")
	}, patience, 10*time.Millisecond)
	c.runSecretd(t, map[string]string{"SECRETD_ALLOW": "openai_api_key"})
	c.ready(t)
	f := c.ask(t)
	f.more(t, 20)
	f.requireNoneFailed(t)
	c.requireQuiet(t)
}

// safeBuffer is a log that may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
