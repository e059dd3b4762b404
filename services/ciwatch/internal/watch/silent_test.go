package watch_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

// silent is a configuration whose forge is never asked.
func (w *world) silent(t *testing.T, repositories ...string) watch.Config {
	t.Helper()
	cfg := w.config(t, repositories...)
	cfg.Forges[0].Silent = true
	return cfg
}

// asked is how many requests GitHub has had.
func (w *world) asked() int {
	all, _ := w.fake.Requests()
	return all
}

func TestWebhooksAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.silent(t, "acme/*")
	cfg.Settle = 3 * time.Second
	r := w.run(t, cfg)
	first := w.hook(t, w.fake.AddRun("failure"))
	second := w.hook(t, w.fake.AddRun("failure"))
	third := w.hook(t, w.fake.AddRun("failure"))
	r.told(t, third, first, second, first) // the first that is told is not the first that was
	eventually(t, func() bool { return w.types(t, "acme/one") == "ci.run_failed ci.run_failed ci.run_failed ci.degraded" })
	eventually(t, func() bool {
		known := r.status(t, "acme/one").Workflows // it is written after it is told
		return len(known) == 1 && known[0].ConsecutiveFailures == 3
	})
	require.Equal(t, events.CodeNotFound, events.CodeOf(r.check(t.Context(), "acme/one")), "it cannot be asked")
	require.Zero(t, w.asked())
}

// The rule is about what started runs, and of a workflow that was never seen no run was counted yet.
func TestWebhooksAloneWithARuleForEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.silent(t, "acme/one")
	cfg.Rules[0].Events = []policy.Pattern{pattern(t, "push")}
	r := w.run(t, cfg)
	r.told(t, w.hook(t, w.fake.AddRun("failure", func(run *fakegithub.Run) { run.Event = "schedule" })))
	r.told(t, w.hook(t, w.fake.AddRun("failure")))
	eventually(t, func() bool { return w.types(t, "acme/one") == "ci.run_failed" })
	eventually(t, func() bool { return r.status(t, "acme/one").Workflows[0].ConsecutiveFailures == 1 }) // it is written after it is told
}

// Which branch is the default one is told by webhooks, too: nothing else tells it where nobody asks.
func TestWebhooksAloneWithARuleForTheDefaultBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.silent(t, "acme/one")
	cfg.Rules[0].Branches = []policy.Pattern{pattern(t, "HEAD")}
	r := w.run(t, cfg)
	r.told(t, w.hook(t, w.fake.AddRun("failure", func(run *fakegithub.Run) { run.Branch = "topic" })))
	r.told(t, w.hook(t, w.fake.AddRun("failure")))
	eventually(t, func() bool { return w.types(t, "acme/one") == "ci.run_failed" })
	eventually(t, func() bool { return len(r.status(t, "acme/one").Workflows) == 1 })
	require.Equal(t, "main", r.status(t, "acme/one").Workflows[0].Branch)
	require.Zero(t, w.asked())
}

// What GitHub has recorded of itself is taken as it says, twice and in any order.
func TestRecordedWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.silent(t, "codertocat/hello-world", "octo-org/octo-repo"))
	files, err := filepath.Glob(filepath.Join(recordings, "*.payload.json"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Log("there are no recorded webhooks here")
	}
	sums := map[string]int{}
	for round := range 2 {
		for i := range files {
			file := files[i]
			if round == 1 {
				file = files[len(files)-1-i]
			}
			name := filepath.Base(file)
			event, _, _ := strings.Cut(name, ".")
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			h := webhook{header: fakegithub.Sign(event, name, key, body), body: body}
			want := http.StatusAccepted
			if event == "ping" {
				want = http.StatusOK
			}
			status, err := r.post(t.Context(), h)
			require.NoError(t, err)
			require.Equal(t, want, status, name)
			status, err = r.post(t.Context(), h.again(round))
			require.NoError(t, err)
			require.Equal(t, want, status, name)
			sums[event]++
		}
		eventually(t, func() bool { return w.waiting(t) == 0 })
	}
	if len(files) == 0 {
		return
	}
	eventually(t, func() bool {
		known := r.status(t, "octo-org/octo-repo").Workflows
		return len(known) == 1 && known[0].Health == events.CIHealthy
	})
	require.Equal(t, int64(289782451), r.status(t, "octo-org/octo-repo").Workflows[0].LastRun.RunID)
	require.Empty(t, r.status(t, "Codertocat/Hello-World").Workflows, "a job makes no workflow, and checks only say that something has happened")
	require.Empty(t, w.events(t, ""), "what passed long before anybody watched is no news")
	t.Logf("each twice, and twice again: %v", sums)
}

func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.config(t, "acme/one"))
	w.fake.Fail(fakegithub.Failure{Status: http.StatusInternalServerError, Body: token + key}, fakegithub.Failure{
		Status: http.StatusUnprocessableEntity, Body: `{"message":"` + token + `"}`,
	})
	for range 3 {
		if err := r.check(t.Context(), "acme/one"); err != nil {
			require.NotContains(t, err.Error(), token)
		}
	}
	require.NotContains(t, w.log.String(), token)
	require.NotContains(t, w.log.String(), key)
	require.Positive(t, w.log.count("the poll failed"))
}
