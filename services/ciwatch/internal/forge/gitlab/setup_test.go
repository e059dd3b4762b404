package gitlab_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
)

const (
	// canary is a token, which must stand nowhere.
	canary     = "glpat-canary31337"
	repository = "neuron7x/group/mlsdm"
)

// serve makes a fake GitLab and a forge that asks it, without a network.
func serve(t *testing.T, opts fakegitlab.Options, cfg gitlab.Config) (*fakegitlab.Server, *gitlab.Forge) {
	t.Helper()
	if opts.Project == "" {
		opts.Project = repository
	}
	fake := fakegitlab.New(opts)
	cfg.Transport = fake
	return fake, open(t, cfg)
}

// start is serve with a token.
func start(t *testing.T) (*fakegitlab.Server, *gitlab.Forge) {
	t.Helper()
	return serve(t, fakegitlab.Options{Token: canary}, gitlab.Config{Tokens: tokens(canary)})
}

// open makes a forge.
func open(t *testing.T, cfg gitlab.Config) *gitlab.Forge {
	t.Helper()
	made, err := gitlab.New(cfg)
	require.NoError(t, err)
	return made
}

// tokens are credentials.
func tokens(texts ...string) []secret.Value {
	var values []secret.Value
	for _, text := range texts {
		values = append(values, secret.NewValue(text))
	}
	return values
}

// list asks for the first page of the usual project.
func list(t *testing.T, f *gitlab.Forge) (forge.Page, error) {
	t.Helper()
	return f.Runs(t.Context(), forge.Query{Repository: repository})
}

// requireRequests checks how many requests were made since the last time, which were so many.
func requireRequests(t *testing.T, fake *fakegitlab.Server, before, want int) int {
	t.Helper()
	all, _ := fake.Requests()
	require.Equal(t, want, all-before, "the last was %s", fake.LastPath())
	return all
}

// requireNoSecret looks through an error and all its causes.
func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canary)
	}
}

// requireCode checks an error's code, that it names the forge, and that it holds no secret.
func requireCode(t *testing.T, code events.Code, err error) {
	t.Helper()
	var e *events.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, err)
	require.Equal(t, "gitlab", e.Provider)
	require.Equal(t, code.Retryable(), e.Retryable)
	requireNoSecret(t, err)
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

// roundTrip is a transport that is a function.
type roundTrip func(req *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
