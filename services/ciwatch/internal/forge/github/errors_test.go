package github_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

// failures are answers that are none, and what becomes of them.
func failures() map[string]struct {
	failure fakegithub.Failure
	code    events.Code
	wait    time.Duration
} {
	return map[string]struct {
		failure fakegithub.Failure
		code    events.Code
		wait    time.Duration
	}{
		"bad token":                  {fakegithub.Failure{Status: 401}, events.CodeUnauthenticated, 0},
		"no right":                   {fakegithub.Failure{Status: 403}, events.CodePermissionDenied, 0},
		"primary limit":              {fakegithub.Failure{Status: 403, ResetAfter: 10 * time.Minute}, events.CodeRateLimited, 10 * time.Minute},
		"primary limit with 429":     {fakegithub.Failure{Status: 429, ResetAfter: 10 * time.Minute}, events.CodeRateLimited, 10 * time.Minute},
		"reset in the year 2200":     {fakegithub.Failure{Status: 403, ResetAfter: 200 * 365 * 24 * time.Hour}, events.CodeRateLimited, time.Hour},
		"secondary limit":            {fakegithub.Failure{Status: 403, Secondary: true, RetryAfter: 90 * time.Second}, events.CodeRateLimited, 90 * time.Second},
		"secondary limit, no header": {fakegithub.Failure{Status: 403, Secondary: true}, events.CodeRateLimited, time.Minute},
		"secondary limit till reset": {fakegithub.Failure{Status: 403, Secondary: true, ResetAfter: 5 * time.Minute}, events.CodeRateLimited, 5 * time.Minute},
		"secondary limit with 429":   {fakegithub.Failure{Status: 429, RetryAfter: 90 * time.Second}, events.CodeRateLimited, 90 * time.Second},
		"429 and no more":            {fakegithub.Failure{Status: 429}, events.CodeRateLimited, time.Minute},
		"403 with Retry-After":       {fakegithub.Failure{Status: 403, RetryAfter: 5 * time.Second}, events.CodeRateLimited, 5 * time.Second},
		"Retry-After of nonsense":    {fakegithub.Failure{Status: 429, Header: http.Header{"Retry-After": {"soon"}}}, events.CodeRateLimited, time.Minute},
		"Retry-After below zero":     {fakegithub.Failure{Status: 429, Header: http.Header{"Retry-After": {"-5"}}}, events.CodeRateLimited, time.Second},
		"Retry-After of a day":       {fakegithub.Failure{Status: 429, RetryAfter: 24 * time.Hour}, events.CodeRateLimited, time.Hour},
		"not there":                  {fakegithub.Failure{Status: 404}, events.CodeNotFound, 0},
		"gone":                       {fakegithub.Failure{Status: 410}, events.CodeFailedPrecondition, 0},
		"refused":                    {fakegithub.Failure{Status: 422}, events.CodeFailedPrecondition, 0},
		"broken":                     {fakegithub.Failure{Status: 500}, events.CodeUnavailable, 0},
		"overloaded":                 {fakegithub.Failure{Status: 503, Body: "<html>"}, events.CodeUnavailable, 0},
		"overloaded for so long":     {fakegithub.Failure{Status: 503, RetryAfter: 7 * time.Second}, events.CodeUnavailable, 7 * time.Second},
		"later":                      {fakegithub.Failure{Status: 202}, events.CodeUnavailable, 0},
		"no JSON":                    {fakegithub.Failure{Body: "<html>hello</html>"}, events.CodeUnavailable, 0},
		"half of it":                 {fakegithub.Failure{Body: `{"total_count": 1, "workflow_runs": [{"id": 1`}, events.CodeUnavailable, 0},
		"another shape":              {fakegithub.Failure{Body: `[1, 2]`}, events.CodeUnavailable, 0},
		"null":                       {fakegithub.Failure{Body: `null`}, events.CodeUnavailable, 0},
		"an empty object":            {fakegithub.Failure{Body: `{}`}, events.CodeUnavailable, 0},
		"white space":                {fakegithub.Failure{Body: ` `}, events.CodeUnavailable, 0},
		"wrong type":                 {fakegithub.Failure{Body: `{"workflow_runs": [{"id": "` + canary + `"}]}`}, events.CodeUnavailable, 0},
		"too large":                  {fakegithub.Failure{Body: `{"x": "` + strings.Repeat("a", 26<<20) + `"}`}, events.CodeUnavailable, 0},
		"too deep":                   {fakegithub.Failure{Body: strings.Repeat(`[`, 1<<20)}, events.CodeUnavailable, 0},
		"too many":                   {fakegithub.Failure{Body: `{"workflow_runs": [` + strings.Repeat(`{},`, 200) + `{}]}`}, events.CodeUnavailable, 0},
		"elsewhere":                  {fakegithub.Failure{Status: 302, Header: http.Header{"Location": {"https://evil.example/"}}}, events.CodeFailedPrecondition, 0},
		"nowhere":                    {fakegithub.Failure{Status: 301}, events.CodeFailedPrecondition, 0},
		"not modified, unasked":      {fakegithub.Failure{Status: 304}, events.CodeUnavailable, 0},
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, f := serve(t, fakegithub.Options{}, github.Config{Credentials: tokens(canary)})
				fake.AddRun("success")
				// A hostile server says the token back wherever it can.
				if test.failure.Body == "" && !test.failure.Secondary {
					test.failure.Body = fmt.Sprintf(`{"message": "you sent ghp_\u0001canary31337 %s", "documentation_url": "https://x/%s"}`, canary, canary)
				}
				fake.Fail(test.failure)
				_, err := list(t, f)
				requireCode(t, test.code, err)
				e := events.AsError(err)
				require.InDelta(t, test.wait.Seconds(), e.RetryAfter.Seconds(), 1)
				if test.code == events.CodeRateLimited {
					before, _ := fake.Requests()
					_, err = list(t, f)
					require.Equal(t, e.RetryAfter, requireWait(t, err))
					after, _ := fake.Requests()
					require.Equal(t, before, after, "GitHub is left alone for as long as it asks")
				}
				pause(t, max(e.RetryAfter, time.Minute))
				page, err := list(t, f)
				require.NoError(t, err, "the next answer is read")
				require.Len(t, page.Runs, 1)
			})
		})
	}
}

// pause lets time pass; it takes none.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
	synctest.Wait()
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	f := open(t, github.Config{APIURL: server.URL, Credentials: tokens(canary)})
	_, err := list(t, f)
	requireCode(t, events.CodeUnavailable, err)
}

func TestWhatIsNoHTTPDoesNotSayTheTokenBack(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"status line": "HTTP/1.1 " + canary + "\r\n\r\n", "no HTTP": "you sent " + canary + "\r\n\r\n",
		"header": "HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n", "length": "HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n",
		"encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n", "location": "HTTP/1.1 301 X\r\nLocation: http://[" + canary + "\r\n\r\n",
		"chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					fmt.Fprint(conn, answer)
					conn.Close()
				}
			}))
			t.Cleanup(server.Close)
			f := open(t, github.Config{APIURL: server.URL, Credentials: tokens(canary)})
			_, err := list(t, f)
			require.Error(t, err)
			requireNoSecret(t, err)
		})
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := roundTrip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		f := open(t, github.Config{Transport: silent, Credentials: tokens(canary), Timeout: 7 * time.Second})
		began := time.Now()
		_, err := list(t, f)
		requireCode(t, events.CodeDeadlineExceeded, err)
		require.Equal(t, 7*time.Second, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = f.Runs(ctx, forge.Query{Repository: repository})
		requireCode(t, events.CodeDeadlineExceeded, err)
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		_, err = f.Runs(ctx, forge.Query{Repository: repository})
		requireCode(t, events.CodeCanceled, err)
	})
}

func TestWrongQuestionsAreNotAsked(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{}, github.Config{})
	ask := func(repository, branch string) error {
		_, err := f.Runs(t.Context(), forge.Query{Repository: repository, Branch: branch})
		return err
	}
	for _, name := range []string{
		"", "neuron7x", "/mlsdm", "neuron7x/", "a/b/../c", "a/b/c", "neuron7x/..", "./mlsdm", "neuron7x/mlsdm%2F..", "neuron7x%2Fmlsdm",
		"neuron7x/mlsdm?x=", "neuron7x/mlsdm#", `neuron7x\mlsdm`, "neuron7x/ml sdm", "neuron7x/mlsdm\n", "neuron7x/" + strings.Repeat("x", 101), "ключ/x",
	} {
		for what, err := range map[string]error{
			"runs": ask(name, ""), "rerun": f.Rerun(t.Context(), forge.Run{Repository: name, ID: 1, Attempt: 1}, true),
			"dispatch": f.Dispatch(t.Context(), forge.Dispatch{Repository: name, Workflow: "ci.yml", Ref: "main"}),
		} {
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%s %q", what, name)
			require.ErrorContains(t, err, "owner/name")
		}
	}
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(ask(repository, "main\nHost: evil")))
	for _, owner := range []string{"", "..", "a/b", "a%2Fb"} {
		_, _, err := f.Repositories(t.Context(), owner, 1)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	}
	requests, _ := fake.Requests()
	require.Zero(t, requests)
	require.NoError(t, ask(repository, "feature/a&b=c#d%2F"), "a branch is a parameter, and is escaped")
	require.Contains(t, fake.LastPath(), "branch=feature%2Fa%26b%3Dc%23d%252F&")
}
