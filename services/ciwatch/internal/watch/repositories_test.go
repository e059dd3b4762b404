package watch_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

func TestParseWanted(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a/b", "A-b/c.d_e", "acme/*", "acme/svc-*", "a/..b"} {
		_, err := watch.ParseWanted("github", good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		"", "/", "a", "a/", "/a", "a/b/c", "a/..", "../a", "a/.", "*/a", "a*/b", "a%2Fb", "a/b%2F..", "a/b?c", "a/b#c", "a/b c", "a\\b", "a/b\n", "a/é",
		strings.Repeat("a", 600) + "/*",
	} {
		_, err := watch.ParseWanted("github", bad)
		require.Error(t, err, bad)
		require.Less(t, len(err.Error()), 700)
	}
}

func TestForgesAreToldApart(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	cfg := w.config(t, "acme/one")
	second := other.github(t, func(c *github.Config) { c.Name = "ghe" })
	cfg.Forges = append(cfg.Forges, watch.Forge{Forge: second})
	also, err := watch.ParseWanted("ghe", "acme/one")
	require.NoError(t, err)
	cfg.Repositories = append(cfg.Repositories, also)
	r := w.run(t, cfg)
	w.fake.AddRun("failure")
	other.fake.AddRun("success")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	status := r.status(t, "acme/one")
	require.Len(t, status.Workflows, 2)
	require.Equal(t, []string{"ghe", events.CIHealthy, "github", events.CIFailing}, []string{
		status.Workflows[0].Forge, status.Workflows[0].Health, status.Workflows[1].Forge, status.Workflows[1].Health,
	})
	_, err = r.Recover(t.Context(), events.CIRecoverRequest{Repository: "acme/one"})
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	require.ErrorContains(t, err, "in ghe")
}

func TestNewRefusesForges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config(t, "acme/one")
	cfg.Forges = append(cfg.Forges, cfg.Forges[0])
	_, err := watch.New(cfg, w.client, nil, nil)
	require.ErrorContains(t, err, "two forges")
	cfg.Forges = nil
	_, err = watch.New(cfg, w.client, nil, nil)
	require.ErrorContains(t, err, "none of the forges")
}

// One that appears later is watched from its first webhook on, as it is written in the configuration or by GitHub; one that is gone is asked for
// no more, and nobody is alarmed.
func TestPatterns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fake.AddRun("failure")
	r := w.run(t, w.config(t, "ACME/*"))
	eventually(t, func() bool { return w.types(t, "acme/one") == "ci.run_failed" }, "the owner's are listed")

	w.fake.AddRunTo("acme/later", "failure")
	require.Equal(t, events.CodeNotFound, events.CodeOf(r.check(t.Context(), "acme/later")), "nobody has heard of it yet")
	r.told(t, w.hook(t, w.fake.AddRunTo("acme/later", "failure")))
	eventually(t, func() bool { return w.types(t, "acme/later") == "ci.run_failed ci.run_failed" })

	require.Equal(t, http.StatusAccepted, func() int {
		status, err := r.post(t.Context(), w.hook(t, w.fake.AddRunTo("other/one", "failure")))
		require.NoError(t, err)
		return status
	}())
	require.Empty(t, r.status(t, "other/one").Workflows, "what is another owner's is ignored")

	require.NoError(t, r.Health())
	w.fake.SetFault(func(req *http.Request) (fakegithub.Failure, bool) {
		return fakegithub.Failure{Status: http.StatusNotFound}, strings.Contains(req.URL.Path, "/acme/later/")
	})
	require.Equal(t, events.CodeNotFound, events.CodeOf(r.check(t.Context(), "acme/later")))
	eventually(t, func() bool { return w.log.count("is gone") > 0 })
	require.NoError(t, r.Health())
	require.Empty(t, r.status(t, "").LastError)
	w.fake.Heal()
	r.told(t, w.hook(t, w.fake.AddRunTo("acme/later", "success")))
	eventually(t, func() bool { return strings.HasSuffix(w.types(t, "acme/later"), "ci.run_succeeded") }, "it is there again")
}

// One that is named is asked for as long as it is, and said to be missing.
func TestNamedRepositoryIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.config(t, "acme/none"))
	for range 3 {
		require.Equal(t, events.CodeNotFound, events.CodeOf(r.check(t.Context(), "acme/none")))
	}
	require.Error(t, r.Health())
	require.Contains(t, r.status(t, "").LastError, "acme/none")
	require.Equal(t, 1, w.log.count("the poll failed"), "it is said once")
}

func TestRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, w.config(t, "acme/one"))
	w.fake.AddRun("failure")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	require.True(t, w.fake.Rename("acme/one", "acme/two"))
	w.fake.AddRunTo("acme/two", "failure")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	status := r.status(t, "")
	require.Len(t, status.Workflows, 1)
	require.Equal(t, "acme/one", status.Workflows[0].Repository, "as it is called in the configuration")
	require.Equal(t, 2, status.Workflows[0].ConsecutiveFailures)
}

func TestRulesChangeBetweenStarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config(t, "acme/one")
	r := w.run(t, cfg)
	w.fake.AddRun("failure")
	w.fake.AddRun("failure")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	r.stop()
	cfg = w.config(t, "acme/one")
	cfg.Rules[0].Branches = []policy.Pattern{pattern(t, "release/*")}
	r = w.run(t, cfg)
	require.NoError(t, r.check(t.Context(), "acme/one"))
	require.Empty(t, r.status(t, "").Workflows, "its branch is not watched any more")
	r.stop()
	cfg = w.config(t, "acme/one")
	cfg.Rules[0].FailuresToAlert = 2
	r = w.run(t, cfg)
	require.NoError(t, r.check(t.Context(), "acme/one"))
	require.Equal(t, "ci.run_failed ci.run_failed", w.types(t, ""))
	w.fake.AddRun("failure")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	require.Equal(t, "ci.run_failed ci.run_failed ci.run_failed ci.degraded", w.types(t, ""), "with the next failure, the streak is long enough")
}

func TestStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config(t, "acme/one")
	cfg.Grace = time.Nanosecond
	cfg.Rules[0].StaleAfter = 2 * time.Second
	r := w.run(t, cfg)
	w.fake.AddRun("success")
	require.NoError(t, r.check(t.Context(), "acme/one"))
	eventually(t, func() bool { return w.types(t, "") == "ci.stale" })
	eventually(t, func() bool { return r.status(t, "").Workflows[0].Health == events.CIStaleHealth })
}
