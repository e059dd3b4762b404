package github_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

const (
	// canary is a token, which must stand nowhere.
	canary     = "ghp_canary31337"
	repository = "neuron7x/mlsdm"
	recordings = "../../../../../../shared/data/github-webhooks"
)

// templates returns real workflow runs where they are, and says which were used.
func templates(t *testing.T) fakegithub.Options {
	t.Helper()
	recorded, err := fakegithub.LoadTemplates(recordings)
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("runs look like our own: there are no recorded ones here")
		return fakegithub.Options{}
	}
	require.NoError(t, err)
	t.Logf("runs look like %d recorded ones", len(recorded))
	return fakegithub.Options{Templates: recorded}
}

// serve makes a fake GitHub and a forge that asks it, without a network.
func serve(t *testing.T, opts fakegithub.Options, cfg github.Config) (*fakegithub.Server, *github.Forge) {
	t.Helper()
	fake, err := fakegithub.New(opts)
	require.NoError(t, err)
	cfg.Transport = fake
	return fake, open(t, cfg)
}

// open makes a forge.
func open(t *testing.T, cfg github.Config) *github.Forge {
	t.Helper()
	made, err := github.New(cfg)
	require.NoError(t, err)
	return made
}

// tokens are credentials.
func tokens(texts ...string) []github.Credential {
	var credentials []github.Credential
	for _, text := range texts {
		credentials = append(credentials, github.Credential{Token: secret.NewValue(text)})
	}
	return credentials
}

// list asks for the first page of the usual repository.
func list(t *testing.T, f *github.Forge) (forge.Page, error) {
	t.Helper()
	return f.Runs(t.Context(), forge.Query{Repository: repository})
}

// requireNoSecret looks through an error and all its causes.
func requireNoSecret(t *testing.T, err error, texts ...string) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, text := range append(texts, canary) {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), text)
		}
	}
}

// requireCode checks an error's code, that it names the forge, and that it holds no secret.
func requireCode(t *testing.T, code events.Code, err error) {
	t.Helper()
	var e *events.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, err)
	require.Equal(t, "github", e.Provider)
	require.Equal(t, code.Retryable(), e.Retryable)
	requireNoSecret(t, err)
}

// requireWait checks that an error is a limit's, and returns how long it asks to wait.
func requireWait(t *testing.T, err error) time.Duration {
	t.Helper()
	requireCode(t, events.CodeRateLimited, err)
	return events.AsError(err).RetryAfter
}

// roundTrip is a transport that is a function.
type roundTrip func(req *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
