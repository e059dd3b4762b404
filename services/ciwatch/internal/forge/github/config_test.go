package github_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	require.NoError(t, github.Config{}.Validate())
	key := secret.NewValue(canary)
	for name, change := range map[string]func(*github.Config){
		"URL without a scheme": func(c *github.Config) { c.APIURL = "github.example" },
		"URL of a file":        func(c *github.Config) { c.APIURL = "file:///etc/passwd" },
		"URL with a password":  func(c *github.Config) { c.APIURL = "https://user:" + canary + "@github.example" },
		"URL with a query":     func(c *github.Config) { c.APIURL = "https://github.example/?token=" + canary },
		"URL that is broken":   func(c *github.Config) { c.APIURL = "https://" + canary + ":port" },
		"pretty answers":       func(c *github.Config) { c.UserAgent = "ciwatch/1 curl" },
		"header":               func(c *github.Config) { c.UserAgent = "a\nb" },
		"negative time":        func(c *github.Config) { c.Timeout = -1 },
		"negative memory":      func(c *github.Config) { c.CacheBytes = -1 },
		"too many":             func(c *github.Config) { c.Credentials = make([]github.Credential, 33) },
		"no ids":               func(c *github.Config) { c.Credentials[0].App = &github.App{PrivateKey: key} },
		"no key":               func(c *github.Config) { c.Credentials[0].App = &github.App{ID: 1, InstallationID: 2} },
		"both": func(c *github.Config) {
			c.Credentials[0] = github.Credential{Token: key, App: &github.App{ID: 1, InstallationID: 2, PrivateKey: key}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := github.Config{Credentials: make([]github.Credential, 1)}
			change(&bad)
			err := bad.Validate()
			require.Error(t, err)
			requireNoSecret(t, err)
			_, err = github.New(bad)
			require.Error(t, err)
		})
	}
}

func TestEnterpriseServer(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"https://ghes.example/api/v3", "https://ghes.example/api/v3/"} {
		fake, f := serve(t, fakegithub.Options{Token: canary}, github.Config{Name: "ghes", APIURL: base, Credentials: tokens(canary)})
		require.Equal(t, "ghes", f.Name())
		fake.AddRun("success")
		page, err := list(t, f)
		require.NoError(t, err)
		require.Len(t, page.Runs, 1)
		require.Contains(t, fake.LastPath(), "/api/v3/repos/neuron7x/mlsdm/actions/runs?")
	}
}
