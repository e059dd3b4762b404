//go:build containers

package containers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// memorySecret signs the webhooks of these tests.
const memorySecret = "whsec_bWVtb3J5IHRlc3RzIG5lZWQgYSBzZWNyZXQ="

// alarms is who gets the webhooks about memory.
type alarms struct {
	mu  sync.Mutex
	got []alarm
}

// alarm is a webhook that is signed as it must be.
type alarm struct {
	Type string
	Data json.RawMessage
}

// ServeHTTP implements [http.Handler].
func (a *alarms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender died
	}
	official, err := standardwebhooks.NewWebhook(memorySecret)
	if err == nil {
		err = official.Verify(body, r.Header)
	}
	var got alarm
	if err == nil {
		err = json.Unmarshal(body, &got)
	}
	if err != nil { // nobody is told of what is not signed, and the test will miss it
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, got)
}

// of are the alarms of a type, each read into a T.
func of[T any](t *testing.T, a *alarms, eventType string) (all []T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, got := range a.got {
		if got.Type == eventType {
			var one T
			require.NoError(t, json.Unmarshal(got.Data, &one))
			all = append(all, one)
		}
	}
	return all
}

// startPressed starts a stack whose embedder may have so much memory and no more, with a provider of embeddings and somebody who is told.
func startPressed(t *testing.T, memory string, provider http.Handler, environment map[string]string) (stack, *alarms) {
	t.Helper()
	told := &alarms{}
	var text strings.Builder
	text.WriteString("services:\n  embedder:\n    mem_limit: " + memory + "\n    memswap_limit: " + memory + "\n    environment:\n")
	for name, value := range environment {
		fmt.Fprintf(&text, "      %s: %q\n", name, value)
	}
	override := filepath.Join(t.TempDir(), "memory.yml")
	require.NoError(t, os.WriteFile(override, []byte(text.String()), 0o600))
	s := startStack(t, stack{
		options: []string{"--file", "docker-compose.yml", "--file", override},
		environment: []string{
			"WEBHOOK_URL=" + serveContainers(t, told), "WEBHOOK_SECRET=" + memorySecret, "WEBHOOK_EVENTS=memory.*,system.*",
			"WEBHOOK_ALLOW_HTTP=true", "WEBHOOK_ALLOW_NETWORKS=172.16.0.0/12,192.168.0.0/16",
			"OPENAI_API_KEY=sk-memory", "OPENAI_BASE_URL=" + serveContainers(t, provider) + "/v1", "OTEL_TRACES_EXPORTER=none",
		},
	})
	return s, told
}

// as is a client of the stack.
func (s stack) as(t *testing.T, user string) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), "nats://"+s.port(t, "nats", "4222"), client.Caller(user),
		client.NKey(filepath.Join(s.installation, "users", user+".nk")), client.NATS(nats.MaxReconnects(-1)))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// ends are the statuses with which the embedder's container has ended since the stack was started, and whether the kernel ended one.
func (s stack) ends(t *testing.T) (statuses []string) {
	t.Helper()
	out := docker(t, "events", "--since", "30m", "--until", "0s", "--filter", "container="+s.project+"-"+events.ServiceEmbedder+"-1",
		"--filter", "event=die", "--filter", "event=oom", "--format", `{{.Action}} {{index .Actor.Attributes "exitCode"}}`)
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" {
			statuses = append(statuses, line)
		}
	}
	return statuses
}

// embedderLog is what the embedder has logged.
func (s stack) embedderLog(t *testing.T) string {
	t.Helper()
	out, err := s.compose(t.Context(), "logs", "--no-color", "--no-log-prefix", events.ServiceEmbedder)
	require.NoError(t, err, out)
	return out
}

// longVectors answers every request for embeddings with the same long vector.
func longVectors(w http.ResponseWriter, r *http.Request) {
	vector := strings.TrimSuffix(strings.Repeat("0.03125,", 1024), ",")
	var asked struct {
		Input []string `json:"input"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	data := make([]string, len(asked.Input))
	for i := range data {
		data[i] = fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":[%s]}`, i, vector)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"object":"list","model":"m","data":[%s],"usage":{"prompt_tokens":1,"total_tokens":1}}`, strings.Join(data, ","))
}

// TestMemoryOfAContainerRecovers fills the cache of an embedder until the memory of its container is nearly used up. It says so twice, sheds
// what it can, and goes on; the kernel has nothing to do.
func TestMemoryOfAContainerRecovers(t *testing.T) {
	t.Parallel()
	s, told := startPressed(t, "256m", http.HandlerFunc(longVectors), map[string]string{"CACHE_MEMORY_MB": "1024", "MLSDM_MEMORY_GRACE": "0s"})
	c := s.as(t, "client")
	for batch := 0; ; batch++ {
		inputs := make(events.TextInput, 100)
		for i := range inputs {
			inputs[i] = fmt.Sprintf("text %d of batch %d", i, batch)
		}
		_, err := c.Embed(t.Context(), events.EmbeddingsRequest{Model: "openai/m", Input: inputs})
		require.NoError(t, err, "requests are answered all the while")
		if batch%20 == 19 && strings.Contains(s.embedderLog(t), "memory is critical") {
			break
		}
		require.Less(t, batch, 3000, "memory is never critical:\n%s", s.embedderLog(t))
	}
	until(t, func() bool { return strings.Contains(s.embedderLog(t), "memory is not critical any more") }, "recovery")
	var levels []string
	until(t, func() bool {
		levels = nil
		for _, event := range of[events.MemoryThresholdExceeded](t, told, events.TypeMemoryThresholdExceeded) {
			require.Equal(t, events.ServiceEmbedder, event.Service)
			require.Equal(t, "cgroup", event.LimitFrom)
			require.EqualValues(t, 256<<20, event.LimitBytes)
			levels = append(levels, event.Level)
		}
		return slices.Contains(levels, events.LevelCritical)
	}, "the events")
	require.Equal(t, events.LevelWarning, levels[0])
	id, err := c.SubmitEmbed(t.Context(), "", events.EmbeddingsRequest{Model: "local/hash-384", Input: events.TextInput{"after recovery"}})
	require.NoError(t, err)
	var answer events.EmbeddingsResponse
	require.NoError(t, c.Result(t.Context(), id, &answer), "durable work goes on")
	require.Empty(t, s.ends(t))
	require.Empty(t, of[events.SystemEmergencyShutdown](t, told, events.TypeSystemEmergencyShutdown))
}

// TestMemoryOfAContainerIsUsedUp fills an embedder with what it cannot shed: requests that a provider does not answer. It says why it ends,
// by a signed webhook too, before the kernel ends it; it is started again, and has answered every durable request in the end.
func TestMemoryOfAContainerIsUsedUp(t *testing.T) {
	t.Parallel()
	gone, leave := context.WithCancel(t.Context())
	t.Cleanup(leave) // before the server is closed, which waits for its requests
	s, told := startPressed(t, "384m", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // who has gone has gone
		select {
		case <-gone.Done():
		case <-r.Context().Done():
		}
	}), map[string]string{"MLSDM_MEMORY_GRACE": "1s", "MLSDM_DRAIN_TIMEOUT": "3s", "EMBEDDER_TIMEOUT": "5m", "EMBEDDER_WORKERS": "1024"})
	t.Cleanup(leave)
	c := s.as(t, "client")

	var ids []string
	submit := func() {
		id, err := c.SubmitEmbed(t.Context(), fmt.Sprint("durable-", len(ids)), events.EmbeddingsRequest{Model: "local/hash-384", Input: events.TextInput{"hello"}})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	pressing, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	ended := func() bool {
		return len(of[events.SystemEmergencyShutdown](t, told, events.TypeSystemEmergencyShutdown)) > 0
	}
	for n := 0; !ended(); n++ {
		text := fmt.Sprintf("%d %s", n, strings.Repeat("x", 1_000_000))
		go func() {
			_, _ = c.Embed(pressing, events.EmbeddingsRequest{Model: "openai/m", Input: events.TextInput{text}}) // nobody answers
		}()
		submit()
		every := 150 * time.Millisecond
		if len(of[events.MemoryThresholdExceeded](t, told, events.TypeMemoryThresholdExceeded)) > 0 { // slowly now: it looks once a second
			every = 400 * time.Millisecond
		}
		<-time.After(every)
		require.Less(t, n, 600, "it does not end:\n%s", s.embedderLog(t))
	}
	stop()
	why := of[events.SystemEmergencyShutdown](t, told, events.TypeSystemEmergencyShutdown)[0]
	require.Equal(t, events.ServiceEmbedder, why.Service)
	require.Equal(t, events.TriggerMemory, why.Trigger)
	require.EqualValues(t, 384<<20, why.LimitBytes)
	for range 20 {
		submit() // whether somebody is there or not
	}
	until(t, func() bool { return len(s.ends(t)) > 0 }, "the end of the process")
	require.Equal(t, []string{"die " + strconv.Itoa(lifecycle.ExitEmergency)}, s.ends(t), "it ended by itself, once")
	for _, id := range ids {
		var answer events.EmbeddingsResponse
		require.NoError(t, c.Result(t.Context(), id, &answer), "what was accepted is answered: %s", id)
	}
	var levels []string
	for _, event := range of[events.MemoryThresholdExceeded](t, told, events.TypeMemoryThresholdExceeded) {
		levels = append(levels, event.Level)
	}
	require.Equal(t, []string{events.LevelWarning, events.LevelCritical}, levels)
	require.Len(t, of[events.SystemEmergencyShutdown](t, told, events.TypeSystemEmergencyShutdown), 1)
}
