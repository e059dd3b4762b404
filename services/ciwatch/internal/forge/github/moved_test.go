package github_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

func TestARenamedRepositoryIsFoundAndRemembered(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"http://api.example", "http://ghes.example/api/v3"} {
		fake, f := serve(t, fakegithub.Options{Token: canary}, github.Config{APIURL: base, Credentials: tokens(canary)})
		added := fake.AddRun("failure")
		_, err := list(t, f)
		require.NoError(t, err)
		require.True(t, fake.Rename(repository, "new-owner/new-name"))
		before, _ := fake.Requests()
		page, err := list(t, f)
		require.NoError(t, err)
		require.Equal(t, "new-owner/new-name", page.Runs[0].Repository)
		after, _ := fake.Requests()
		require.Equal(t, 2, after-before, "one to be told, one to ask there")
		page, err = list(t, f)
		require.NoError(t, err)
		require.True(t, page.NotModified)
		_, err = f.Jobs(t.Context(), page.Runs[0])
		require.NoError(t, err)
		require.NoError(t, f.Rerun(t.Context(), forge.Run{Repository: repository, ID: added.ID, Attempt: 1}, true), "orders go there, too")
		last, _ := fake.Requests()
		require.Equal(t, 3, last-after, "where it is, is known")
	}
}

func TestAnOrderFollowsToWhereTheRepositoryIs(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{Token: canary}, github.Config{APIURL: "http://api.example", Credentials: tokens(canary)})
	added := fake.AddRun("failure")
	fake.Rename(repository, "new/name")
	require.NoError(t, f.Rerun(t.Context(), forge.Run{Repository: repository, ID: added.ID, Attempt: 1}, true))
	require.Len(t, fake.Orders(), 1)
}

func TestTokenStaysHome(t *testing.T) {
	t.Parallel()
	var leaked []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked = append(leaked, r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308, 399} {
		for name, to := range map[string]string{
			"another host": elsewhere.URL + "/api/v3/repos/a/b/actions/runs", "outside the API": "/login", "up": "/api/v3/../login",
			"another scheme": "https://SELF/api/v3/x", "with a user": "http://user:pass@SELF/api/v3/x", "no URL": "http://[::1", "a file": "file:///etc/passwd",
		} {
			var hits int
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hits++
				w.Header().Set("Location", replaceSelf(to, r.Host))
				w.WriteHeader(status)
			}))
			f := open(t, github.Config{APIURL: server.URL + "/api/v3", Credentials: tokens(canary)})
			_, err := list(t, f)
			requireCode(t, events.CodeFailedPrecondition, err)
			require.Equal(t, 1, hits, "%d %s", status, name)
			server.Close()
		}
	}
	require.Empty(t, leaked)
}

// replaceSelf puts a host in the place of SELF.
func replaceSelf(text, host string) string {
	const self = "SELF"
	for i := 0; i+len(self) <= len(text); i++ {
		if text[i:i+len(self)] == self {
			return text[:i] + host + text[i+len(self):]
		}
	}
	return text
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	hits := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, r.URL.RequestURI(), http.StatusMovedPermanently)
	}))
	t.Cleanup(server.Close)
	f := open(t, github.Config{APIURL: server.URL, Credentials: tokens(canary)})
	_, err := list(t, f)
	requireCode(t, events.CodeFailedPrecondition, err)
	require.Equal(t, 3, hits)
}

func TestARepositoryThatIsGoneIsLookedForUnderItsOwnName(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{}, github.Config{APIURL: "http://api.example"})
	fake.AddRun("success")
	fake.Rename(repository, "new/name")
	_, err := list(t, f)
	require.NoError(t, err)
	fake.Fail(fakegithub.Failure{Status: 404})
	_, err = list(t, f)
	requireCode(t, events.CodeNotFound, err)
	_, err = list(t, f)
	require.NoError(t, err)
}
