package fakegithub_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

func TestRepositories(t *testing.T) {
	t.Parallel()
	server, err := fakegithub.New(fakegithub.Options{})
	require.NoError(t, err)
	server.SetTokens("all", "some")
	server.Restrict("some", "Octo")
	first, second := server.AddRunTo("octo/a", "success"), server.AddRunTo("octo/b", "success")
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, first.Number, second.Number, "each repository counts its own")
	server.AddRepository("person/c", func(r *fakegithub.Repository) { r.OfUser = true })
	require.True(t, server.Rename("octo/a", "octo/renamed"))
	require.False(t, server.Rename("octo/none", "octo/x"))
	for path, want := range map[string][2]int{
		"/repos/octo/b/actions/runs":              {200, 200},
		"/repos/OCTO/B":                           {200, 200},
		"/repos/octo%2Fb/actions/runs":            {404, 404},
		"/repos/octo/a/actions/runs?per_page=1":   {301, 301},
		"/repos/octo/renamed/actions/runs":        {200, 200},
		"/repositories/903/actions/runs":          {200, 200},
		"/repositories/1/actions/runs":            {404, 404},
		"/repos/neuron7x/mlsdm/actions/runs":      {200, 404},
		"/orgs/octo/repos":                        {200, 200},
		"/orgs/person/repos":                      {404, 404},
		"/users/person/repos":                     {200, 200},
		"/orgs/nobody/repos":                      {404, 404},
		"/repos/octo/b/actions/runs/1":            {404, 404},
		"/repos/octo/b/actions/workflows/x/runs":  {404, 404},
		"/repos/octo/b/actions/runs/7410000002/x": {404, 404},
	} {
		for i, token := range []string{"all", "some"} {
			resp, _ := ask(t, server, http.MethodGet, path, as(token))
			require.Equal(t, want[i], resp.StatusCode, "%s %s", path, token)
		}
	}
	resp, _ := ask(t, server, http.MethodGet, "/api/v3/repos/octo/a/actions/runs?per_page=1", as("all"))
	require.Equal(t, "https://api.github.com/api/v3/repositories/903/actions/runs?per_page=1", resp.Header.Get("Location"))
	resp, _ = ask(t, server, http.MethodGet, "/repos/octo/b", http.Header{})
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func TestARunIsNotStartedAgainForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, err := fakegithub.New(fakegithub.Options{})
		require.NoError(t, err)
		run := server.AddRun("failure")
		done := 0
		for {
			resp, body := ask(t, server, http.MethodPost, runsPath+"/7410000001/rerun", http.Header{})
			if resp.StatusCode != http.StatusCreated {
				require.Contains(t, body, "too many times")
				break
			}
			done++
			server.Finish(run.ID, "failure")
		}
		require.Equal(t, 50, done)
		server.AddRun("failure", func(r *fakegithub.Run) { r.CreatedAt = time.Now().Add(-31 * 24 * time.Hour) })
		_, body := ask(t, server, http.MethodPost, runsPath+"/7410000002/rerun", http.Header{})
		require.Contains(t, body, "over a month ago")
		_, known := server.Finish(1, "success")
		require.False(t, known)
		require.Nil(t, server.Jobs(1))
	})
}
