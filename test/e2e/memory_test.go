package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// pressed is the environment of an embedder that has a limit of memory.
func pressed(srv *bustest.Server, limit string, more map[string]string) map[string]string {
	env := map[string]string{"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": "off", "MLSDM_MEMORY_LIMIT": limit, "CACHE_MEMORY_MB": "1024"}
	maps.Copy(env, more)
	return env
}

// levels are those of the events about memory that were delivered.
func levels(t *testing.T, hooks []hook) (levels []string) {
	t.Helper()
	for _, h := range hooks {
		if h.Type != events.TypeMemoryThresholdExceeded {
			continue
		}
		var body events.MemoryThresholdExceeded
		require.NoError(t, json.Unmarshal(h.Data, &body))
		require.Equal(t, events.ServiceEmbedder, body.Service)
		require.Equal(t, "configured", body.LimitFrom)
		require.NotEmpty(t, body.TopConsumers)
		require.Equal(t, "cache", body.TopConsumers[0].Name)
		levels = append(levels, body.Level)
	}
	return levels
}

// newProvider is an API of OpenAI's kind, which has the same long vector for everything.
func newProvider(t *testing.T) string {
	t.Helper()
	vector := strings.TrimSuffix(strings.Repeat("0.03125,", 1024), ",")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Input []string `json:"input"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var data []string
		for i := range asked.Input {
			data = append(data, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":[%s]}`, i, vector))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"object":"list","model":"m","data":[%s],"usage":{"prompt_tokens":1,"total_tokens":1}}`, strings.Join(data, ","))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

// TestMemoryRecovers fills the cache of an embedder until its memory is critical. It says so, shrinks the cache, asks for no durable work,
// and goes on when that has helped.
func TestMemoryRecovers(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	u := connect(t, srv.URL())
	to := newReceiver(t, nil)
	env := to.env("memory.*,system.*")
	maps.Copy(env, map[string]string{"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": "off"})
	start(t, "dispatcher", env)
	p := start(t, "embedder", pressed(srv, "224MiB", map[string]string{
		"MLSDM_MEMORY_GRACE": "0s", "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": newProvider(t), "OPENAI_BASE64": "false",
	}))
	u.ask(t, "mlsdm.embed", `{"model":"local/hash-384","input":"hello"}`)

	full := false
	for batch := 0; !full; batch++ {
		inputs := make([]string, 100)
		for i := range inputs {
			inputs[i] = fmt.Sprintf("text %d of batch %d", i, batch)
		}
		body, err := json.Marshal(map[string]any{"model": "openai/m", "input": inputs})
		require.NoError(t, err)
		answer := u.ask(t, "mlsdm.embed", string(body))
		require.Empty(t, answer.Header.Get(events.HeaderErrorCode), "%.200s", answer.Data)
		full = strings.Contains(p.Errs.String(), "memory is critical")
		require.Less(t, batch, 2000, "memory is never critical: %s", p.Errs)
	}
	p.Errs.Await(t, "memory is not critical any more")
	told := to.await(t, "both thresholds", func(hooks []hook) bool { return len(hooks) >= 2 })
	require.Subset(t, levels(t, told), []string{events.LevelWarning, events.LevelCritical})

	id := "after-recovery"
	_, err := u.js.PublishMsg(within(t), &nats.Msg{
		Subject: "mlsdm.requests.embed", Header: nats.Header{events.HeaderRequestID: {id}}, Data: []byte(`{"model":"local/hash-384","input":"hello"}`),
	})
	require.NoError(t, err)
	eventually(t, "durable work goes on", func() bool { return u.count(t, "MLSDM_RESULTS") == 1 })
	p.Interrupt()
	require.Zero(t, p.Exit())
}

// TestMemoryThatCannotBeFreed has an embedder whose limit is less than what it needs. It says why it ends, by a signed webhook too, and
// what was accepted is done by the next one.
func TestMemoryThatCannotBeFreed(t *testing.T) {
	t.Parallel()
	const n = 200
	srv := bustest.Start(t)
	u := connect(t, srv.URL())
	to := newReceiver(t, nil)
	env := to.env("system.*")
	maps.Copy(env, map[string]string{"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": "off"})
	start(t, "dispatcher", env)
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			_, err := u.js.PublishMsg(within(t), &nats.Msg{
				Subject: "mlsdm.requests.embed", Header: nats.Header{events.HeaderRequestID: {fmt.Sprint("r-", i)}}, Data: []byte(`{"model":"local/hash-384","input":"hello"}`),
			})
			require.NoError(t, err)
		}
	}
	publish(0, n/2)
	doomed := start(t, "embedder", pressed(srv, "8MiB", nil))
	publish(n/2, n)
	require.Equal(t, lifecycle.ExitEmergency, doomed.Exit(), "%s", doomed.Errs)
	hooks := to.await(t, "the event", func(hooks []hook) bool { return len(hooks) >= 1 })
	require.Equal(t, events.TypeSystemEmergencyShutdown, hooks[0].Type)
	var why events.SystemEmergencyShutdown
	require.NoError(t, json.Unmarshal(hooks[0].Data, &why))
	require.Equal(t, events.ServiceEmbedder, why.Service)
	require.Equal(t, events.TriggerMemory, why.Trigger)
	require.EqualValues(t, 8<<20, why.LimitBytes)
	require.Equal(t, "shutdown-embedder-"+why.Instance, hooks[0].ID)

	start(t, "embedder", pressed(srv, "off", nil))
	eventually(t, "every request is answered", func() bool { return u.count(t, "MLSDM_RESULTS") == n && u.count(t, "MLSDM_REQUESTS") == 0 })
	require.Zero(t, u.count(t, "MLSDM_DEADLETTERS"))
}

// TestEmergencyWithoutAStream ends while there is no stream that could take the event: the next start publishes it under its old id.
func TestEmergencyWithoutAStream(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t, bustest.Bare())
	spool := filepath.Join(t.TempDir(), "spool")
	doomed := start(t, "embedder", pressed(srv, "8MiB", map[string]string{"MLSDM_SPOOL_DIR": spool}))
	require.Equal(t, lifecycle.ExitEmergency, doomed.Exit(), "%s", doomed.Errs)
	files, err := os.ReadDir(spool)
	require.NoError(t, err)
	require.Len(t, files, 1)

	srv.Provision(t)
	u := connect(t, srv.URL())
	to := newReceiver(t, nil)
	env := to.env("system.*")
	maps.Copy(env, map[string]string{"NATS_URL": srv.URL(), "MLSDM_ADMIN_ADDR": "off"})
	start(t, "dispatcher", env)
	start(t, "embedder", pressed(srv, "off", map[string]string{"MLSDM_SPOOL_DIR": spool}))
	hooks := to.await(t, "the event", func(hooks []hook) bool { return len(hooks) >= 1 })
	require.Equal(t, strings.TrimSuffix(files[0].Name(), ".json"), hooks[0].ID)
	eventually(t, "the spool is empty", func() bool {
		left, err := os.ReadDir(spool)
		return err == nil && len(left) == 0
	})
	require.Equal(t, map[string]int{events.TypeSystemEmergencyShutdown: 1}, tally(u.events(t)))
}

// TestUpIsShutDown shuts one service of many in one process down: all of it ends, and that is said.
func TestUpIsShutDown(t *testing.T) {
	t.Parallel()
	up := startUp(t, nil)
	out, _ := up.mlsdmctl(t, 0, "log-level", "dispatcher", "debug", "--json")
	require.Contains(t, out, `"level":"debug","before":"warn"`)
	out, _ = up.mlsdmctl(t, 0, "shutdown", "embedder", "--reason", "a test", "--yes")
	require.Contains(t, out, "its event is on the stream")
	require.Contains(t, out, "with it, in the same process: ")
	require.Equal(t, lifecycle.ExitEmergency, up.Exit(), "%s", up.Errs)
	require.Contains(t, up.Errs.String(), "emergency shutdown: a test")
}
