package gitlab_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	require.NoError(t, gitlab.Config{}.Validate())
	for name, change := range map[string]func(*gitlab.Config){
		"URL without a scheme": func(c *gitlab.Config) { c.URL = "gitlab.example" },
		"URL of a file":        func(c *gitlab.Config) { c.URL = "file:///etc/passwd" },
		"URL without a host":   func(c *gitlab.Config) { c.URL = "https://:443" },
		"URL with a password":  func(c *gitlab.Config) { c.URL = "https://user:" + canary + "@gitlab.example" },
		"URL with a query":     func(c *gitlab.Config) { c.URL = "https://gitlab.example/?token=" + canary },
		"URL that is broken":   func(c *gitlab.Config) { c.URL = "https://" + canary + ":port" },
		"header":               func(c *gitlab.Config) { c.UserAgent = "a\nb" },
		"negative time":        func(c *gitlab.Config) { c.Timeout = -1 },
		"negative memory":      func(c *gitlab.Config) { c.CacheBytes = -1 },
		"too many":             func(c *gitlab.Config) { c.Tokens = make([]secret.Value, 33) },
		"no token":             func(c *gitlab.Config) { c.Tokens = make([]secret.Value, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := gitlab.Config{Tokens: tokens(canary)}
			change(&bad)
			err := bad.Validate()
			require.Error(t, err)
			requireNoSecret(t, err)
			_, err = gitlab.New(bad)
			require.Error(t, err)
		})
	}
	f := open(t, gitlab.Config{Name: "ours"})
	require.Equal(t, "ours", f.Name())
	require.NotContains(t, fmt.Sprintf("%+v", gitlab.Config{Tokens: tokens(canary)}), canary)
}

// TestMemoryIsBounded: what does not fit is asked for again, and is right.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 5 << 10} {
		fake, f := serve(t, fakegitlab.Options{}, gitlab.Config{CacheBytes: size})
		for range 10 {
			fake.AddPipeline("success")
		}
		for range 3 {
			page, err := f.Runs(t.Context(), forge.Query{Repository: repository})
			require.NoError(t, err)
			require.Len(t, page.Runs, 10)
			require.False(t, page.NotModified)
		}
		requireRequests(t, fake, 0, 3*(1+10))
	}
}
