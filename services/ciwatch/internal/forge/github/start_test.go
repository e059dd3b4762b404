package github_test

import (
	"encoding/pem"
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

// start makes a fake GitHub with a failed run.
func start(t *testing.T) (*fakegithub.Server, *github.Forge, forge.Run) {
	t.Helper()
	fake, f := serve(t, fakegithub.Options{Token: canary, RateLimit: 1000}, github.Config{Credentials: tokens(canary)})
	fake.AddRun("failure")
	page, err := list(t, f)
	require.NoError(t, err)
	return fake, f, page.Runs[0]
}

func TestRerun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f, run := start(t)
		require.NoError(t, f.Rerun(t.Context(), run, true))
		again, err := f.Run(t.Context(), repository, run.ID)
		require.NoError(t, err)
		require.Equal(t, 2, again.Attempt)
		require.False(t, again.Done)

		err = f.Rerun(t.Context(), run, false)
		requireCode(t, events.CodeFailedPrecondition, err)
		require.ErrorContains(t, err, "This workflow is already running")
		fake.Finish(run.ID, "failure")
		require.NoError(t, f.Rerun(t.Context(), run, false))
		fake.Finish(run.ID, "success")
		requireCode(t, events.CodeFailedPrecondition, f.Rerun(t.Context(), run, true))

		pause(t, 31*24*time.Hour)
		err = f.Rerun(t.Context(), run, false)
		requireCode(t, events.CodeFailedPrecondition, err)
		require.ErrorContains(t, err, "created over a month ago")
		var kinds []string
		var statuses []int
		for _, order := range fake.Orders() {
			kinds, statuses = append(kinds, order.Kind), append(statuses, order.Status)
		}
		require.Equal(t, []string{"rerun-failed-jobs", "rerun", "rerun", "rerun-failed-jobs", "rerun"}, kinds)
		require.Equal(t, []int{201, 403, 201, 403, 403}, statuses)
	})
}

func TestRerunFailures(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	for name, test := range map[string]struct {
		failure fakegithub.Failure
		code    events.Code
		line    string
	}{
		"no right":     {fakegithub.Failure{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}, events.CodePermissionDenied, "actions:write"},
		"no admin":     {fakegithub.Failure{Status: 403, Body: `{"message":"Must have admin rights to Repository."}`}, events.CodePermissionDenied, "Must have admin rights"},
		"conflict":     {fakegithub.Failure{Status: 409, Body: `{"message":"Cannot\nrerun"}`}, events.CodeFailedPrecondition, "Cannotrerun"},
		"invalid":      {fakegithub.Failure{Status: 422, Body: `{"message":"No."}`}, events.CodeFailedPrecondition, ": No."},
		"long-winded":  {fakegithub.Failure{Status: 422, Body: `{"message":"` + long + `"}`}, events.CodeFailedPrecondition, ": " + long[:256]},
		"an echo":      {fakegithub.Failure{Status: 422, Body: `{"message":"you sent ` + canary + `"}`}, events.CodeFailedPrecondition, "422"},
		"no JSON":      {fakegithub.Failure{Status: 422, Body: `<html>`}, events.CodeFailedPrecondition, "422"},
		"gone":         {fakegithub.Failure{Status: 404}, events.CodeNotFound, "run"},
		"limit":        {fakegithub.Failure{Status: 403, Secondary: true}, events.CodeRateLimited, "limit"},
		"broken":       {fakegithub.Failure{Status: 502}, events.CodeUnavailable, "502"},
		"found":        {fakegithub.Failure{Status: 302, Body: "x", Header: map[string][]string{"Location": {"/elsewhere"}}}, events.CodeFailedPrecondition, "redirects"},
		"not accepted": {fakegithub.Failure{Status: 401}, events.CodeUnauthenticated, "token 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, f, run := start(t)
			fake.Fail(test.failure)
			err := f.Rerun(t.Context(), run, true)
			requireCode(t, test.code, err)
			require.ErrorContains(t, err, test.line)
			require.Less(t, len(err.Error()), 512)
			require.Empty(t, fake.Orders(), "it is asked once")
		})
	}
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f, _ := start(t)
		order := forge.Dispatch{Repository: repository, Workflow: "ci.yml", Ref: "release/1", Inputs: map[string]string{"reason": "a \"quoted\" one"}}
		began := time.Now()
		asked, err := f.Dispatched(t.Context(), order, began)
		require.NoError(t, err)
		require.False(t, asked)
		require.NoError(t, f.Dispatch(t.Context(), order))
		require.Len(t, fake.Orders(), 1)
		require.Equal(t, order.Inputs, fake.Orders()[0].Inputs)
		require.Equal(t, "release/1", fake.Orders()[0].Ref)
		for since, want := range map[time.Time]bool{began: true, began.Add(-time.Hour): true, began.Add(2 * time.Second): false} {
			asked, err = f.Dispatched(t.Context(), order, since)
			require.NoError(t, err)
			require.Equal(t, want, asked)
		}
		order.Ref = "main"
		asked, err = f.Dispatched(t.Context(), order, began)
		require.NoError(t, err)
		require.False(t, asked, "another branch")

		order.Workflow = "52104"
		require.NoError(t, f.Dispatch(t.Context(), order))
		order.Workflow = "missing.yml"
		requireCode(t, events.CodeNotFound, f.Dispatch(t.Context(), order))
	})
}

func TestWrongDispatches(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{}, github.Config{})
	many := map[string]string{}
	for i := range 26 {
		many[strings.Repeat("x", i+1)] = ""
	}
	for name, d := range map[string]forge.Dispatch{
		"no workflow":   {Ref: "main"},
		"up":            {Workflow: "..", Ref: "main"},
		"a path":        {Workflow: "../../issues", Ref: "main"},
		"backslash":     {Workflow: `..\x`, Ref: "main"},
		"control":       {Workflow: "ci\n.yml", Ref: "main"},
		"long":          {Workflow: strings.Repeat("x", 256), Ref: "main"},
		"no branch":     {Workflow: "ci.yml"},
		"a bad branch":  {Workflow: "ci.yml", Ref: "a b"},
		"many inputs":   {Workflow: "ci.yml", Ref: "main", Inputs: many},
		"a large input": {Workflow: "ci.yml", Ref: "main", Inputs: map[string]string{"x": strings.Repeat("x", 65535)}},
	} {
		d.Repository = repository
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(f.Dispatch(t.Context(), d)), name)
	}
	requests, _ := fake.Requests()
	require.Zero(t, requests)
	requireCode(t, events.CodeNotFound, f.Dispatch(t.Context(), forge.Dispatch{Repository: repository, Workflow: "a%2Fb?c#d e.yml", Ref: "main"}))
	require.Contains(t, fake.LastPath(), "/actions/workflows/a%252Fb%3Fc%23d%20e.yml/dispatches")
}

func TestWritesAreSpaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f, _ := start(t)
		order := forge.Dispatch{Repository: repository, Workflow: "ci.yml", Ref: "main"}
		began := time.Now()
		for range 5 {
			require.NoError(t, f.Dispatch(t.Context(), order), "GitHub's secondary limit is not met")
		}
		require.Equal(t, 4*time.Second, time.Since(began))
		require.Len(t, fake.Orders(), 5)
	})
}

func TestAnOrderWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	fake, f, run := start(t)
	fake.Fail(fakegithub.Failure{Status: 502, Done: true})
	requireCode(t, events.CodeUnavailable, f.Rerun(t.Context(), run, true))
	require.Len(t, fake.Orders(), 1)
	again, err := f.Run(t.Context(), repository, run.ID)
	require.NoError(t, err)
	require.Equal(t, 2, again.Attempt, "the run tells that it was done")
}

// pemOf encodes a key.
func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
