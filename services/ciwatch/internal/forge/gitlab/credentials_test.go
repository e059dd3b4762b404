package gitlab_test

import (
	"context"
	"net/http"
	"sync"
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

// rotating is a secret whose content changes.
type rotating struct {
	mu    sync.Mutex
	now   string
	next  string // what it is when it is asked for anew; empty is as before
	asked int
}

// Current implements [secret.Source].
func (r *rotating) Current() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// Renew implements [secret.Source].
func (r *rotating) Renew(context.Context, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.next != "" {
		r.now = r.next
	}
}

// set gives it another content.
func (r *rotating) set(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = text
}

func TestTokensRotate(t *testing.T) {
	t.Parallel()
	token := &rotating{now: "one\n"}
	fake, f := serve(t, fakegitlab.Options{Token: "one"}, gitlab.Config{Tokens: []secret.Value{secret.Live(token)}})
	fake.AddPipeline("success")
	_, err := list(t, f)
	require.NoError(t, err)
	fake.RotateToken("one", "two")
	token.set("two")
	page, err := list(t, f)
	require.NoError(t, err)
	require.True(t, page.NotModified, "what is kept is good for every token")
	require.Zero(t, token.asked)

	fake.RotateToken("two", "three")
	token.next = "three"
	_, err = list(t, f)
	require.NoError(t, err, "a token that is refused is asked for anew")
	require.Equal(t, 1, token.asked)
	require.Empty(t, f.Problems())
}

func TestTokensThatAreRefusedAreSetAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		token := &rotating{now: canary}
		fake, f := serve(t, fakegitlab.Options{Token: "good"}, gitlab.Config{Tokens: []secret.Value{secret.Live(token)}})
		fake.AddPipeline("success")
		asked := 0
		for _, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
			_, err := list(t, f)
			requireCode(t, events.CodeUnauthenticated, err)
			asked = requireRequests(t, fake, asked, 1)
			require.Equal(t, []gitlab.Problem{{Name: "token 1", Err: f.Problems()[0].Err, Until: time.Now().Add(wait)}}, f.Problems())
			requireNoSecret(t, f.Problems()[0].Err)
			pause(t, wait-time.Nanosecond)
			_, err = list(t, f)
			requireCode(t, events.CodeUnauthenticated, err)
			asked = requireRequests(t, fake, asked, 0)
			pause(t, time.Nanosecond)
		}
		_, err := list(t, f)
		requireCode(t, events.CodeUnauthenticated, err)
		token.set("good")
		_, err = list(t, f)
		require.NoError(t, err, "another token is tried at once")
		require.Empty(t, f.Problems())
	})
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"nothing": "", "white space": " \n", "two words": canary + " x", "a header": canary + "\r\nHost: evil", "long": string(make([]byte, 5000))} {
		fake, f := serve(t, fakegitlab.Options{Token: canary}, gitlab.Config{Tokens: []secret.Value{secret.Live(&rotating{now: text})}})
		_, err := list(t, f)
		requireCode(t, events.CodeUnauthenticated, err)
		require.ErrorContains(t, err, "token 1", name)
		requireRequests(t, fake, 0, 0)
	}
}

func TestWithoutAToken(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegitlab.Options{}, gitlab.Config{})
	fake.AddPipeline("success")
	_, err := list(t, f)
	require.NoError(t, err, "what is public is told to everybody")
	require.Equal(t, "no credential", f.Quotas()[0].Credential)
	fake.Fail(fakegitlab.Failure{Status: http.StatusUnauthorized})
	_, err = list(t, f)
	requireCode(t, events.CodeUnauthenticated, err)
	_, err = list(t, f)
	require.NoError(t, err, "that something is not public says nothing about the rest")
}

// TestEachTokenSeesItsOwn: project and group tokens are the rule at GitLab.
func TestEachTokenSeesItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f := serve(t, fakegitlab.Options{Token: "a"}, gitlab.Config{Tokens: tokens("a", "b", "c")})
		fake.SetTokens("a", "b", "c")
		fake.Restrict("a", "g/one")
		fake.Restrict("b", "g/two")
		fake.Restrict("c", "neuron7x")
		fake.AddPipelineTo("g/two", "success")
		ask := func(name string) error {
			_, err := f.Runs(t.Context(), forge.Query{Repository: name})
			return err
		}
		require.NoError(t, ask("g/two"))
		asked := requireRequests(t, fake, 0, 2+1) // the list with a and b, the pipeline
		require.NoError(t, ask("g/two"))
		asked = requireRequests(t, fake, asked, 1)
		requireCode(t, events.CodeNotFound, ask("g/none"))
		asked = requireRequests(t, fake, asked, 3)
		fake.SetTokens("c")
		fake.Restrict("c", "neuron7x")
		requireCode(t, events.CodeUnauthenticated, ask("g/two"))
		asked = requireRequests(t, fake, asked, 2) // a does not see it
		pause(t, time.Hour)
		requireCode(t, events.CodeUnauthenticated, ask("g/two"))
		requireRequests(t, fake, asked, 3)
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f := serve(t, fakegitlab.Options{RateLimit: 5}, gitlab.Config{Tokens: tokens(canary)})
		require.Equal(t, []forge.Quota{{Credential: "token 1"}}, f.Quotas(), "nothing is known yet")
		for left := range 5 {
			_, err := list(t, f)
			require.NoError(t, err)
			q := f.Quotas()[0]
			require.Equal(t, []int{5, 4 - left, left + 1}, []int{q.Limit, q.Remaining, q.Spent}, "what has not changed is counted, too")
			require.Equal(t, time.Now().Truncate(time.Minute).Add(time.Minute).UTC(), q.Reset)
		}
		_, err := list(t, f)
		requireCode(t, events.CodeRateLimited, err)
		requireRequests(t, fake, 0, 5)
		pause(t, events.AsError(err).RetryAfter)
		require.Equal(t, []int{5, 0}, []int{f.Quotas()[0].Remaining, f.Quotas()[0].Spent})
		_, err = list(t, f)
		require.NoError(t, err)
		require.Equal(t, 1, f.Quotas()[0].Spent)
	})
}

// TestLimitsOfAnHour: GitLab tells the limit as one of a minute, however long the window is.
func TestLimitsOfAnHour(t *testing.T) {
	t.Parallel()
	_, f := serve(t, fakegitlab.Options{RateLimit: 3600, Window: time.Hour}, gitlab.Config{})
	for range 3 {
		_, err := list(t, f)
		require.NoError(t, err)
	}
	require.Equal(t, []int{3600, 3597}, []int{f.Quotas()[0].Limit, f.Quotas()[0].Remaining})
}

func TestAnotherTokenIsUsedWhenOneIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f := serve(t, fakegitlab.Options{RateLimit: 3}, gitlab.Config{Tokens: tokens("a", "b")})
		for range 6 {
			_, err := list(t, f)
			require.NoError(t, err)
		}
		_, err := list(t, f)
		requireCode(t, events.CodeRateLimited, err)
		requireRequests(t, fake, 0, 6)
		pause(t, time.Minute)
		fake.Fail(fakegitlab.Failure{Status: 429, RetryAfter: time.Minute})
		_, err = list(t, f)
		require.NoError(t, err, "the other one has a limit of its own")
	})
}
