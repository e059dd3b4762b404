package ciwatch_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

func TestGitHubFails(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	checks, _ := s.run(t, s.config())
	s.github.AddRun("failure")
	s.check(t)
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status)

	s.github.Fail(fakegithub.Failure{Status: 500}, fakegithub.Failure{Status: 401, Body: `{"message":"` + token + `"}`})
	_, err := s.ask(t, "", events.OpCICheck, "")
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.Equal(t, "github", events.AsError(err).Provider)
	_, err = s.ask(t, "", events.OpCICheck, "")
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
	require.NotContains(t, err.Error(), token)

	report := checks.Run(t.Context())
	require.Equal(t, health.StatusDegraded, report.Status, "ready all the same")
	require.Equal(t, health.StatusDegraded, report.Checks["forges"].Status)
	require.Contains(t, report.Checks["forges"].Message, "token 1")
	require.NotContains(t, report.Checks["forges"].Message, token)
	status, err := s.ask(t, "", events.OpCIStatus, "")
	require.NoError(t, err)
	require.Contains(t, status.LastError, "unauthenticated")
	require.Equal(t, 1, status.Workflows[0].ConsecutiveFailures, "what was seen last is still told")

	require.Eventually(t, func() bool { // a token that was refused is left alone for a moment
		_, err := s.ask(t, "", events.OpCICheck, "")
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status)

	s.github.Fail(fakegithub.Failure{Status: 429, RetryAfter: time.Hour})
	_, err = s.ask(t, "", events.OpCICheck, "")
	require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
	require.InDelta(t, time.Hour, events.AsError(err).RetryAfter, float64(time.Minute))
}

func TestRecoversByItself(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.PollInterval, cfg.MinPollInterval = 5*time.Millisecond, time.Millisecond
	s.github.Fail(fakegithub.Failure{Status: 500}, fakegithub.Failure{Status: 503}, fakegithub.Failure{Body: "<html>"})
	s.github.AddRun("failure")
	s.run(t, cfg)
	require.Eventually(t, func() bool { return s.types(t) == "ci.run_failed" }, 20*time.Second, 5*time.Millisecond)
}

func TestNotConfigured(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	cfg := s.config()
	cfg.Repositories = nil
	checks, stop := s.run(t, cfg)
	for _, operation := range []string{events.OpCIStatus, events.OpCICheck} {
		_, err := s.ask(t, "", operation, "{}")
		require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
		require.ErrorContains(t, err, "GITHUB_REPOSITORY")
	}
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status)
	stop()
	all, _ := s.github.Requests()
	require.Zero(t, all)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(t, s.config())
	for _, operation := range []string{events.OpCIStatus, events.OpCICheck} {
		for name, body := range map[string]string{
			"not JSON": "status", "a list": "[]", "a text": `"main"`, "not UTF-8": "{\"a\": \"\xff\"}", "too deep": strings.Repeat("[", 100),
			"too large": `{"a": "` + strings.Repeat("a", 2<<20) + `"}`,
		} {
			_, err := s.ask(t, "", operation, body)
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%s: %s: %v", operation, name, err)
		}
		for _, body := range []string{"", "{}", `{"later": true}`} {
			_, err := s.ask(t, "alice", operation, body)
			require.NoError(t, err, "%s with %q", operation, body)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := (&stack{}).config()
	for name, change := range map[string]func(*ciwatch.Config){
		"interval":         func(c *ciwatch.Config) { c.PollInterval, c.MinPollInterval = 4*time.Second, 0 },
		"long interval":    func(c *ciwatch.Config) { c.PollInterval = 25 * time.Hour },
		"threshold":        func(c *ciwatch.Config) { c.FailureThreshold = 0 },
		"cooldown":         func(c *ciwatch.Config) { c.RecoveryCooldown = -time.Second },
		"repository":       func(c *ciwatch.Config) { c.Repositories = []string{"neuron7x/../mlsdm"} },
		"URL":              func(c *ciwatch.Config) { c.APIURL = "ftp://github.example" },
		"idle, with a URL": func(c *ciwatch.Config) { c.Repositories, c.APIURL = nil, "ftp://github.example" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := good
			change(&bad)
			_, err := ciwatch.New(bad, service.Deps{})
			require.Error(t, err)
		})
	}
	require.NoError(t, good.Validate())
	require.NoError(t, errors.Join(ciwatch.Config{PollInterval: time.Minute, FailureThreshold: 1}.Validate()))
}
