package e2e_test

import (
	"io/fs"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

// The repository that is watched.
const (
	repository = "neuron7x/mlsdm"
	token      = "an-e2e-token"
)

// github is a GitHub with one repository.
type github struct {
	*fakegithub.Server

	url string
}

// newGitHub starts a GitHub whose runs look like recorded ones, where there are some.
func newGitHub(t *testing.T) github {
	t.Helper()
	programs.Path(t, "ciwatch") // what ended long before the watch began is history to it, and with empty caches building takes long
	opts := fakegithub.Options{Repository: repository, Token: token}
	recorded, err := fakegithub.LoadTemplates(filepath.Join(natscli.Root(t), "..", "shared", "data", "github-webhooks"))
	if err == nil {
		t.Logf("the runs look like %d recorded ones", len(recorded))
		opts.Templates = recorded
	} else {
		require.ErrorIs(t, err, fs.ErrNotExist)
		t.Log("the runs look like one that was written for these tests: there are no recorded ones here")
	}
	server, err := fakegithub.New(opts)
	require.NoError(t, err)
	require.Equal(t, len(recorded) == 0, server.Embedded())
	api := httptest.NewServer(server)
	t.Cleanup(api.Close)
	return github{Server: server, url: api.URL}
}

// env are the settings of a ciwatch that watches it. It polls when it starts, and when it is asked to.
func (g github) env() map[string]string {
	return map[string]string{
		"GITHUB_API_URL": g.url, "GITHUB_REPOSITORY": repository, "GITHUB_TOKEN": token, "CI_WORKFLOW": "ci.yml", "CI_BRANCH": "main",
		"CI_POLL_INTERVAL": "1h", "CI_FAILURE_THRESHOLD": "3", "CI_RECOVERY_COOLDOWN": "0s", "CI_LEASE": "1s",
	}
}
