package services_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
)

// slow is a provider of streams that go on until they are told to end. It takes the keys that the provider of the town takes.
type slow struct {
	*httptest.Server

	began chan string // the key of each stream
	end   chan struct{}
}

func (c *town) newSlow(t *testing.T) *slow {
	t.Helper()
	s := &slow{began: make(chan string, 8), end: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		c.mu.Lock()
		taken := c.taken[key]
		c.mu.Unlock()
		if !taken {
			http.Error(w, `{"error":{"message":"no","code":"invalid_api_key"}}`, http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if _, err := io.WriteString(w, `data: {"id":"1","choices":[{"index":0,"delta":{"content":"one "}}]}`+"\n\n"); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		s.began <- key
		select {
		case <-s.end:
		case <-r.Context().Done():
			return
		}
		_, _ = io.WriteString(w, `data: {"id":"1","choices":[{"index":0,"delta":{"content":"two"},"finish_reason":"stop"}]}`+
			"\n\ndata: [DONE]\n\n") // to a client that may have gone
	}))
	t.Cleanup(s.Close)
	return s
}

// runGenerator runs a generator whose keys stand in its file, and secretd.
func (c *town) runGenerator(t *testing.T, file string, environment map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "generator.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	c.run(t, service.Define(events.ServiceGenerator, generator.Summary, generator.New), map[string]string{
		"GENERATOR_CONFIG": path, "MLSDM_SECRET_REFRESH": "1h", "GENERATOR_RETRIES": "0", "CACHE_MEMORY_MB": "0",
	})
	c.runSecretd(t, environment)
	nc := c.Conn(t)
	require.Eventually(t, func() bool {
		_, err := nc.Request("$SRV.PING.mlsdm-generator", nil, time.Second)
		return err == nil && c.checks.Run(t.Context()).Status != health.StatusNotReady
	}, patience, 10*time.Millisecond)
}

// A key of the configuration file is rotated under load, and secretd tells: from then on the provider takes the new one only. No
// request fails; a stream that has begun ends as it began.
func TestRotationOfAKeyInTheFile(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	s := c.newSlow(t)
	rules := filepath.Join(t.TempDir(), "secretd.yaml")
	require.NoError(t, os.WriteFile(rules, []byte("policy:\n  generator: [openai_api_key]\n  rotator: {refresh: [\"*\"]}\n"+
		"secrets:\n  openai_api_key: [\"env:OPENAI_API_KEY\"]\n"), 0o600))
	c.runGenerator(t, fmt.Sprintf(`
providers:
  house: {protocol: openai, base_url: "%s/v1", keys: ["secret:openai_api_key"]}
  slow: {protocol: openai, base_url: "%s", keys: ["secret:openai_api_key"]}
models:
  fast: house/m
`, c.provider.URL, s.URL), map[string]string{"SECRETD_CONFIG": rules})
	conn, err := client.Connect(t.Context(), c.URL(), client.Caller("shop"))
	require.NoError(t, err)
	t.Cleanup(conn.Close)

	ctx, cancel := context.WithCancel(context.Background())
	f := &traffic{cancel: cancel}
	t.Cleanup(f.end)
	for range 4 {
		f.all.Go(func() {
			f.drive(ctx, func(ctx context.Context) error {
				_, err := conn.Generate(ctx, events.ChatRequest{Model: "fast", Prompt: "hello"})
				return err
			})
		})
		f.all.Go(func() {
			f.drive(ctx, func(ctx context.Context) error {
				for _, err := range conn.GenerateStream(ctx, events.ChatRequest{Model: "house/m", Prompt: "hello"}) {
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	long := make(chan string, 1)
	go func() {
		var said strings.Builder
		for chunk, err := range conn.GenerateStream(ctx, events.ChatRequest{Model: "slow/m", Prompt: "hello"}) {
			if err != nil {
				said.WriteString(err.Error())
				break
			}
			for _, choice := range chunk.Choices {
				said.WriteString(choice.Delta.Content)
			}
		}
		long <- said.String()
	}()
	require.Equal(t, first, receive(t, s.began))
	f.more(t, 50)
	c.change(func() {
		c.stored = second
		c.taken = map[string]bool{first: true, second: true}
	})
	// Who operates it has secretd look now, and secretd tells everybody.
	nc := c.Conn(t)
	told, err := nc.SubscribeSync("mlsdm.events.secret.rotated")
	require.NoError(t, err)
	reply, err := nc.Request("mlsdm.as.rotator.secrets.refresh", []byte(`{"name":"openai_api_key"}`), patience)
	require.NoError(t, err)
	require.Empty(t, reply.Header.Get(events.HeaderErrorCode), "%s", reply.Data)
	_, err = told.NextMsg(patience)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(c.log.String(), `"changed":true`) }, patience, time.Millisecond)
	f.more(t, 0) // those that began before
	c.change(func() { c.taken = map[string]bool{second: true} })
	f.more(t, 200)
	require.Zero(t, c.refusals(), "nobody came with the old key")
	close(s.end)
	require.Equal(t, "one two", receive(t, long))
	f.requireNoneFailed(t)
	c.requireQuiet(t)
}

// receive waits for what comes.
func receive(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case text := <-from:
		return text
	case <-time.After(patience):
		require.Fail(t, "nothing comes")
		return ""
	}
}

// Nobody tells, and the provider takes the new key only: it is asked for at the first refusal, and the next target is not needed.
func TestRotationNobodyTellsOf(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.runGenerator(t, fmt.Sprintf(`
providers:
  house: {protocol: openai, base_url: "%s/v1", keys: ["secret:openai_api_key"]}
models:
  fast: {targets: [house/m, local/echo], retries: 0}
`, c.provider.URL), map[string]string{"SECRETD_ALLOW": "openai_api_key"})
	conn, err := client.Connect(t.Context(), c.URL(), client.Caller("shop"))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	ask := func() {
		t.Helper()
		res, err := conn.Generate(t.Context(), events.ChatRequest{Model: "fast", Prompt: "hello"})
		require.NoError(t, err)
		require.Equal(t, "house/m", res.Model)
	}
	nc := c.Conn(t)
	told, err := nc.SubscribeSync("mlsdm.events.secret.rotated")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	for _, key := range []string{second, first, second} {
		ask()
		c.change(func() {
			c.stored = key
			c.taken = map[string]bool{key: true}
		})
		ask()
	}
	require.Equal(t, 3, c.refusals(), "once for each")
	for range 3 { // what secretd has seen by that is told; who is told later than the next change would be given its key
		_, err := told.NextMsg(patience)
		require.NoError(t, err)
	}
	// Who only asks what there is gets by as well.
	c.change(func() {
		c.stored = first
		c.taken = map[string]bool{first: true}
	})
	reply, err := c.Conn(t).Request("mlsdm.models", []byte(`{"provider":"house"}`), patience)
	require.NoError(t, err)
	var list events.ModelsList
	require.NoError(t, json.Unmarshal(reply.Data, &list))
	require.Contains(t, list.Errors["house"], "no such route", "its key was taken")
	require.Equal(t, 4, c.refusals())
	c.requireQuiet(t)
}
