package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge/github"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		failure fakegithub.Failure
		code    events.Code
		wait    time.Duration
	}{
		{"bad token", fakegithub.Failure{Status: 401}, events.CodeUnauthenticated, 0},
		{"one-time password", fakegithub.Failure{Status: 401, Header: http.Header{"X-Github-Otp": {"required; app"}}}, events.CodeUnauthenticated, 0},
		{"no right", fakegithub.Failure{Status: 403}, events.CodePermissionDenied, 0},
		{"primary limit", fakegithub.Failure{Status: 403, ResetAfter: 10 * time.Minute}, events.CodeRateLimited, 10 * time.Minute},
		{"primary limit with 429", fakegithub.Failure{Status: 429, ResetAfter: 10 * time.Minute}, events.CodeRateLimited, 10 * time.Minute},
		{"reset in the year 2200", fakegithub.Failure{Status: 403, ResetAfter: 200 * 365 * 24 * time.Hour}, events.CodeRateLimited, time.Hour},
		{"secondary limit", fakegithub.Failure{Status: 403, Secondary: true, RetryAfter: 90 * time.Second}, events.CodeRateLimited, 90 * time.Second},
		{"secondary limit with 429", fakegithub.Failure{Status: 429, RetryAfter: 90 * time.Second}, events.CodeRateLimited, 90 * time.Second},
		{"429 and no more", fakegithub.Failure{Status: 429}, events.CodeRateLimited, time.Minute},
		{"403 with Retry-After", fakegithub.Failure{Status: 403, RetryAfter: 5 * time.Second}, events.CodeRateLimited, 5 * time.Second},
		{"Retry-After of nonsense", fakegithub.Failure{Status: 429, Header: http.Header{"Retry-After": {"soon"}}}, events.CodeRateLimited, time.Minute},
		{"Retry-After below zero", fakegithub.Failure{Status: 429, Header: http.Header{"Retry-After": {"-5"}}}, events.CodeRateLimited, time.Second},
		{"not there", fakegithub.Failure{Status: 404}, events.CodeNotFound, 0},
		{"gone", fakegithub.Failure{Status: 410}, events.CodeFailedPrecondition, 0},
		{"refused", fakegithub.Failure{Status: 422}, events.CodeFailedPrecondition, 0},
		{"broken", fakegithub.Failure{Status: 500}, events.CodeUnavailable, 0},
		{"overloaded", fakegithub.Failure{Status: 503, Body: "<html>"}, events.CodeUnavailable, 0},
		{"later", fakegithub.Failure{Status: 202}, events.CodeUnavailable, 0},
		{"no JSON", fakegithub.Failure{Body: "<html>hello</html>"}, events.CodeUnavailable, 0},
		{"half of it", fakegithub.Failure{Body: `{"total_count": 1, "workflow_runs": [{"id": 1`}, events.CodeUnavailable, 0},
		{"another shape", fakegithub.Failure{Body: `[1, 2]`}, events.CodeUnavailable, 0},
		{"null", fakegithub.Failure{Body: `null`}, events.CodeUnavailable, 0},
		{"an empty object", fakegithub.Failure{Body: `{}`}, events.CodeUnavailable, 0},
		{"white space", fakegithub.Failure{Body: ` `}, events.CodeUnavailable, 0},
		{"wrong type", fakegithub.Failure{Body: `{"total_count": 1, "workflow_runs": [{"id": "1"}]}`}, events.CodeUnavailable, 0},
		{"too large", fakegithub.Failure{Body: `{"x": "` + strings.Repeat("a", 9<<20) + `"}`}, events.CodeUnavailable, 0},
		{"too deep", fakegithub.Failure{Body: strings.Repeat(`[`, 1<<20)}, events.CodeUnavailable, 0},
		{"elsewhere", fakegithub.Failure{Status: 302, Header: http.Header{"Location": {"https://evil.example/"}}}, events.CodeFailedPrecondition, 0},
		{"no switching", fakegithub.Failure{Status: 304}, events.CodeFailedPrecondition, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake, source := serve(t, fakegithub.Options{}, github.Config{Workflow: "ci.yml", Branch: "main", Token: secret.NewValue(canary)})
			fake.AddRun("success")
			// A hostile server says the token back wherever it can.
			if tt.failure.Body == "" && !tt.failure.Secondary {
				tt.failure.Body = fmt.Sprintf(`{"message": "you sent %s", "documentation_url": "https://x/%s"}`, canary, canary)
			}
			fake.Fail(tt.failure)
			_, err := source.CompletedRuns(t.Context(), 1)
			var e *events.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.code, e.Code, err)
			require.Equal(t, "github", e.Provider)
			require.Equal(t, tt.code.Retryable(), e.Retryable)
			require.InDelta(t, tt.wait.Seconds(), e.RetryAfter.Seconds(), 2)
			requireNoCanary(t, err)
			if tt.code == events.CodeRateLimited {
				before, _ := fake.Requests()
				_, err = source.CompletedRuns(t.Context(), 1)
				require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
				require.InDelta(t, tt.wait.Seconds(), events.AsError(err).RetryAfter.Seconds(), 3)
				after, _ := fake.Requests()
				require.Equal(t, before, after, "GitHub is left alone for as long as it asks")
				return
			}
			page, err := source.CompletedRuns(t.Context(), 1)
			require.NoError(t, err, "the next answer is read")
			require.Len(t, page.Runs, 1)
		})
	}
}

// requireNoCanary looks through an error and all its causes.
func requireNoCanary(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canary)
	}
}

func TestFailuresOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	fake, source := serve(t, fakegithub.Options{}, github.Config{Branch: github.DefaultBranch})
	fake.Fail(fakegithub.Failure{Status: 404}, fakegithub.Failure{Body: `{}`}, fakegithub.Failure{Body: `{"default_branch": "a b"}`})
	_, err := source.CompletedRuns(t.Context(), 1)
	require.Equal(t, events.CodeNotFound, events.CodeOf(err))
	for range 2 {
		_, err = source.CompletedRuns(t.Context(), 1)
		require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	}
	_, err = source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	source, err := github.New(github.Config{APIURL: server.URL, Repository: "neuron7x/mlsdm", Branch: "main", Token: secret.NewValue(canary)})
	require.NoError(t, err)
	_, err = source.CompletedRuns(t.Context(), 1)
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	requireNoCanary(t, err)
}

func TestSlow(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	source, err := github.New(github.Config{APIURL: server.URL, Repository: "neuron7x/mlsdm", Branch: "main", Timeout: 50 * time.Millisecond})
	require.NoError(t, err)
	_, err = source.CompletedRuns(t.Context(), 1)
	require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
	require.Equal(t, "github", events.AsError(err).Provider)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = source.CompletedRuns(ctx, 1)
	require.Equal(t, events.CodeCanceled, events.CodeOf(err))
}

// TestTokenStaysHome: neither a redirect nor anything else carries the token to another host.
func TestTokenStaysHome(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect to another host was followed")
	}))
	t.Cleanup(elsewhere.Close)
	var seen []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/old/name/actions/runs", func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		http.Redirect(w, r, "/repositories/901/actions/runs", http.StatusMovedPermanently)
	})
	mux.HandleFunc("GET /repositories/901/actions/runs", func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"total_count": 0, "workflow_runs": []}`)
	})
	mux.HandleFunc("GET /repos/evil/name/actions/runs", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	cfg := github.Config{APIURL: server.URL, Repository: "old/name", Branch: "main", Token: secret.NewValue(canary)}
	source, err := github.New(cfg)
	require.NoError(t, err)
	_, err = source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err, "a renamed repository is found")
	require.Equal(t, []string{"Bearer " + canary, "Bearer " + canary}, seen)

	cfg.Repository = "evil/name"
	source, err = github.New(cfg)
	require.NoError(t, err)
	_, err = source.CompletedRuns(t.Context(), 1)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	requireNoCanary(t, err)
}
