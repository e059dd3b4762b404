package gitlab_test

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
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
)

// failures are answers that are none, and what becomes of them.
func failures() map[string]struct {
	failure fakegitlab.Failure
	code    events.Code
	wait    time.Duration
} {
	return map[string]struct {
		failure fakegitlab.Failure
		code    events.Code
		wait    time.Duration
	}{
		"bad token":              {fakegitlab.Failure{Status: 401}, events.CodeUnauthenticated, 0},
		"token that has expired": {fakegitlab.Failure{Status: 401, Body: `{"error":"invalid_token","error_description":"Token is expired."}`}, events.CodeUnauthenticated, 0},
		"no right":               {fakegitlab.Failure{Status: 403}, events.CodePermissionDenied, 0},
		"no scope":               {fakegitlab.Failure{Status: 403, Body: `{"error":"insufficient_scope","error_description":"` + canary + `"}`}, events.CodePermissionDenied, 0},
		"limit":                  {fakegitlab.Failure{Status: 429, RetryAfter: 42 * time.Second, Body: "Retry later\n"}, events.CodeRateLimited, 42 * time.Second},
		"limit till reset":       {fakegitlab.Failure{Status: 429, ResetAfter: 10 * time.Minute}, events.CodeRateLimited, 10 * time.Minute},
		"limit and no more":      {fakegitlab.Failure{Status: 429}, events.CodeRateLimited, time.Minute},
		"reset in 2200":          {fakegitlab.Failure{Status: 429, ResetAfter: 200 * 365 * 24 * time.Hour}, events.CodeRateLimited, time.Hour},
		"Retry-After nonsense":   {fakegitlab.Failure{Status: 429, Header: http.Header{"Retry-After": {"soon"}}}, events.CodeRateLimited, time.Minute},
		"Retry-After below zero": {fakegitlab.Failure{Status: 429, Header: http.Header{"Retry-After": {"-5"}}}, events.CodeRateLimited, time.Second},
		"Retry-After of a day":   {fakegitlab.Failure{Status: 429, RetryAfter: 24 * time.Hour}, events.CodeRateLimited, time.Hour},
		"not there":              {fakegitlab.Failure{Status: 404}, events.CodeNotFound, 0},
		"wrong":                  {fakegitlab.Failure{Status: 400, Body: `{"error":"order_by does not have a valid value"}`}, events.CodeFailedPrecondition, 0},
		"refused":                {fakegitlab.Failure{Status: 422}, events.CodeFailedPrecondition, 0},
		"broken":                 {fakegitlab.Failure{Status: 500}, events.CodeUnavailable, 0},
		"overloaded":             {fakegitlab.Failure{Status: 502, Body: "<html>"}, events.CodeUnavailable, 0},
		"overloaded for so long": {fakegitlab.Failure{Status: 503, RetryAfter: 7 * time.Second}, events.CodeUnavailable, 7 * time.Second},
		"later":                  {fakegitlab.Failure{Status: 202}, events.CodeUnavailable, 0},
		"no JSON":                {fakegitlab.Failure{Body: "<html>hello</html>"}, events.CodeUnavailable, 0},
		"half of it":             {fakegitlab.Failure{Body: `[{"id": 1`}, events.CodeUnavailable, 0},
		"another shape":          {fakegitlab.Failure{Body: `{"id": 1}`}, events.CodeUnavailable, 0},
		"null":                   {fakegitlab.Failure{Body: `null`}, events.CodeUnavailable, 0},
		"white space":            {fakegitlab.Failure{Body: ` `}, events.CodeUnavailable, 0},
		"wrong type":             {fakegitlab.Failure{Body: `[{"id": "` + canary + `"}]`}, events.CodeUnavailable, 0},
		"a time that is none":    {fakegitlab.Failure{Body: `[{"id": 1, "updated_at": 7}]`}, events.CodeUnavailable, 0},
		"too large":              {fakegitlab.Failure{Body: `["` + strings.Repeat("a", 26<<20) + `"]`}, events.CodeUnavailable, 0},
		"too deep":               {fakegitlab.Failure{Body: strings.Repeat(`[`, 1<<20)}, events.CodeUnavailable, 0},
		"too many":               {fakegitlab.Failure{Body: `[` + strings.Repeat(`{},`, 200) + `{}]`}, events.CodeUnavailable, 0},
		"elsewhere":              {fakegitlab.Failure{Status: 302, Header: http.Header{"Location": {"https://evil.example/"}}}, events.CodeFailedPrecondition, 0},
		"the sign-in page":       {fakegitlab.Failure{Status: 302, Header: http.Header{"Location": {"https://gitlab.com/users/sign_in"}}}, events.CodeFailedPrecondition, 0},
		"nowhere":                {fakegitlab.Failure{Status: 301}, events.CodeFailedPrecondition, 0},
		"not modified, unasked":  {fakegitlab.Failure{Status: 304}, events.CodeUnavailable, 0},
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, f := start(t)
				fake.AddPipeline("success")
				// A hostile server says the token back wherever it can.
				if test.failure.Body == "" {
					test.failure.Body = fmt.Sprintf(`{"message": {"base": ["you sent glpat-\u0001canary31337 %s"]}, "error": "%s"}`, canary, canary)
				}
				fake.Fail(test.failure)
				_, err := list(t, f)
				requireCode(t, test.code, err)
				e := events.AsError(err)
				require.InDelta(t, test.wait.Seconds(), e.RetryAfter.Seconds(), 1)
				if test.code == events.CodeRateLimited {
					before, _ := fake.Requests()
					_, err = list(t, f)
					requireCode(t, events.CodeRateLimited, err)
					require.Equal(t, e.RetryAfter, events.AsError(err).RetryAfter)
					requireRequests(t, fake, before, 0)
				}
				pause(t, max(e.RetryAfter, time.Minute))
				page, err := list(t, f)
				require.NoError(t, err, "the next answer is read")
				require.Len(t, page.Runs, 1)
			})
		})
	}
}

func TestWhatGitLabSaysIsToldInALine(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	for body, want := range map[string]string{
		`{"message":{"base":["Reference not found","x"],"a":["first"]}}`: ": first Reference not found x",
		`{"message":"400 Bad\nrequest"}`:                                 ": 400 Badrequest",
		`{"error":"ref is missing"}`:                                     ": ref is missing",
		`{"error":"short","error_description":"what it means"}`:          ": what it means",
		`{"message":["a","list"]}`:                                       " on main",
		`{"message":null}`:                                               " on main",
		`<html>`:                                                         " on main",
		`{"message":"` + strings.Repeat("ы", 500) + `"}`:                 strings.Repeat("ы", 128),
	} {
		fake.Fail(fakegitlab.Failure{Status: 400, Body: body})
		err := f.Dispatch(t.Context(), forge.Dispatch{Repository: repository, Ref: "main"})
		requireCode(t, events.CodeFailedPrecondition, err)
		require.True(t, strings.HasSuffix(err.Error(), want), "%s ends in %s", err, want)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	f := open(t, gitlab.Config{URL: server.URL, Tokens: tokens(canary)})
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
			f := open(t, gitlab.Config{URL: server.URL, Tokens: tokens(canary)})
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
		f := open(t, gitlab.Config{Transport: silent, Tokens: tokens(canary), Timeout: 7 * time.Second})
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
	fake, f := serve(t, fakegitlab.Options{}, gitlab.Config{})
	ask := func(repository, branch string) error {
		_, err := f.Runs(t.Context(), forge.Query{Repository: repository, Branch: branch})
		return err
	}
	for _, name := range []string{
		"", "neuron7x", "/mlsdm", "neuron7x/", "a//b", "a/../c", "a/b/..", "./mlsdm", "neuron7x/mlsdm%2F..", "neuron7x%2Fmlsdm", "42",
		"neuron7x/mlsdm?x=", "neuron7x/mlsdm#", `neuron7x\mlsdm`, "neuron7x/ml sdm", "neuron7x/mlsdm\n", "neuron7x/" + strings.Repeat("x", 600),
		strings.Repeat("a/", 30) + "b", "ключ/x",
	} {
		_, branch := f.DefaultBranch(t.Context(), name)
		_, dispatched := f.Dispatched(t.Context(), forge.Dispatch{Repository: name, Ref: "main"}, time.Now())
		_, jobs := f.Jobs(t.Context(), forge.Run{Repository: name, ID: 1})
		for what, err := range map[string]error{
			"runs": ask(name, ""), "rerun": f.Rerun(t.Context(), forge.Run{Repository: name, ID: 1, Attempt: 1}, true), "default branch": branch,
			"dispatch": f.Dispatch(t.Context(), forge.Dispatch{Repository: name, Ref: "main"}), "dispatched": dispatched, "jobs": jobs,
		} {
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%s %q", what, name)
			require.ErrorContains(t, err, "group/project")
		}
	}
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(ask(repository, "main\nHost: evil")))
	for _, owner := range []string{"", "..", "a/../b", "a%2Fb", "a/"} {
		_, _, err := f.Repositories(t.Context(), owner, 1)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	}
	requireRequests(t, fake, 0, 0)
	require.NoError(t, ask(repository, "feature/a&b=c#d%2F"), "a branch is a parameter, and is escaped")
	require.Contains(t, fake.LastPath(), "ref=feature%2Fa%26b%3Dc%23d%252F&")
}
