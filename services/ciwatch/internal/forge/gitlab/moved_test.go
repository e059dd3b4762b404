package gitlab_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
)

func TestRenamedProjectsAreFollowed(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegitlab.Options{Token: canary}, gitlab.Config{URL: "https://gitlab.example", Tokens: tokens(canary)})
	added := fake.AddPipeline("failed")
	require.True(t, fake.Rename(repository, "neuron7x/elsewhere/mlsdm2"))
	page, err := list(t, f)
	require.NoError(t, err)
	require.Len(t, page.Runs, 1)
	require.Equal(t, "neuron7x/elsewhere/mlsdm2", page.Runs[0].Repository, "its name is the new one")
	asked := requireRequests(t, fake, 0, 2+1)
	_, err = list(t, f)
	require.NoError(t, err)
	requireRequests(t, fake, asked, 1)
	require.Contains(t, fake.LastPath(), "/api/v4/projects/4201/pipelines?")
	require.NoError(t, f.Rerun(t.Context(), forge.Run{Repository: repository, ID: added.ID}, true), "orders are given where it is now")

	other := open(t, gitlab.Config{Transport: fake, Tokens: tokens(canary)})
	err = other.Rerun(t.Context(), forge.Run{Repository: repository, ID: added.ID}, true)
	requireCode(t, events.CodeFailedPrecondition, err)
	require.ErrorContains(t, err, "moved projects")
}

func TestNamesAreAsGitLabWritesThem(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegitlab.Options{Project: "Group/Sub/Project"}, gitlab.Config{})
	fake.AddPipelineTo("Group/Sub/Project", "success")
	page, err := f.Runs(t.Context(), forge.Query{Repository: "group/sub/project"})
	require.NoError(t, err)
	require.Equal(t, "Group/Sub/Project", page.Runs[0].Repository)
}

// TestTokensGoNowhereElse: not even to another port, and not with orders.
func TestTokensGoNowhereElse(t *testing.T) {
	t.Parallel()
	for _, to := range []string{
		"https://evil.example/api/v4/projects/1/pipelines", "http://gitlab.com/api/v4/projects/1/pipelines", "https://gitlab.com:444/api/v4/projects/1/pipelines",
		"https://x@gitlab.com/api/v4/projects/1/pipelines", "//evil.example/api/v4/", "https://gitlab.com/users/sign_in", "/", "", "https://gitlab.com/api/v40/x", ":",
	} {
		fake, f := start(t)
		moved := fakegitlab.Failure{Status: http.StatusMovedPermanently, Header: http.Header{"Location": {to}}}
		fake.Fail(moved)
		_, err := list(t, f)
		requireCode(t, events.CodeFailedPrecondition, err)
		requireRequests(t, fake, 0, 1)
		fake.Fail(moved)
		requireCode(t, events.CodeFailedPrecondition, f.Rerun(t.Context(), forge.Run{Repository: repository, ID: 1}, true))
		requireRequests(t, fake, 0, 2)
	}
	fake, f := start(t)
	round := fakegitlab.Failure{Status: http.StatusFound, Header: http.Header{"Location": {"/api/v4/projects/5/pipelines"}}}
	fake.Fail(round, round, round, round)
	_, err := list(t, f)
	requireCode(t, events.CodeFailedPrecondition, err)
	requireRequests(t, fake, 0, 3)
}
