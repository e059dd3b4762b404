package github_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

// rotating is a token that changes.
type rotating struct {
	mu        sync.Mutex
	now, next string
	asked     int
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
	r.now = r.next
}

// set changes it.
func (r *rotating) set(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.next = text, text
}

func TestATokenThatRotatesCostsNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		other bool
		spent int // requests of three questions, for which the token rotates three times
	}{
		"as GitHub makes ETags":   {false, 3},
		"ETags of an unknown way": {true, 12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := templates(t)
			opts.Token, opts.OtherETags, opts.RateLimit = "token-0", test.other, 100
			token := &rotating{now: "token-0"}
			fake, f := serve(t, opts, github.Config{Credentials: []github.Credential{{Token: secret.Live(token)}}})
			names := []string{"o/a", "o/b", repository}
			for _, name := range names {
				for range 40 {
					fake.AddRunTo(name, "success")
				}
			}
			var first []forge.Page
			for turn := range 4 {
				if turn > 0 {
					fresh := fmt.Sprintf("token-%d", turn)
					require.True(t, fake.RotateToken(token.Current(), fresh))
					token.set(fresh)
				}
				for i, name := range names {
					for again := range 3 {
						page, err := f.Runs(t.Context(), forge.Query{Repository: name})
						require.NoError(t, err)
						require.Len(t, page.Runs, 30)
						require.Equal(t, again > 0 || turn > 0 && !test.other, page.NotModified)
						if turn == 0 && again == 0 {
							first = append(first, page)
						}
						require.Equal(t, first[i].Runs, page.Runs)
					}
				}
			}
			require.Equal(t, test.spent, f.Quotas()[0].Spent)
			require.Equal(t, 100-test.spent, fake.Remaining("token-3"))
		})
	}
}

func TestARefusedTokenIsAskedForAnew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		now, next string
		code      events.Code
		asked     int
	}{
		"rotated":           {"old", canary, "", 1},
		"with white space":  {"old", " " + canary + "\n", "", 1},
		"as it was":         {"old", "old", events.CodeUnauthenticated, 1},
		"still wrong":       {"old", "older", events.CodeUnauthenticated, 1},
		"taken away":        {"old", "", events.CodeUnauthenticated, 1},
		"not there":         {"", canary, events.CodeUnauthenticated, 0},
		"no token":          {"old\r\nHost: old.example", canary, events.CodeUnauthenticated, 0},
		"good as it is":     {canary, "another", "", 0},
		"good with a space": {"\t" + canary + "\n", "another", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := &rotating{now: test.now, next: test.next}
			fake, f := serve(t, fakegithub.Options{Token: canary}, github.Config{Credentials: []github.Credential{{Token: secret.Live(token)}}})
			fake.AddRun("success")
			_, err := list(t, f)
			require.Equal(t, test.code, events.CodeOf(err))
			require.Equal(t, test.asked, token.asked)
			if err != nil {
				requireNoSecret(t, err, "old")
				problems := f.Problems()
				require.Len(t, problems, 1)
				require.Equal(t, "token 1", problems[0].Name)
				requireCode(t, events.CodeUnauthenticated, problems[0].Err)
				before, _ := fake.Requests()
				_, err = list(t, f)
				require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
				after, _ := fake.Requests()
				require.Equal(t, before, after, "a token that is not accepted is not tried again at once")
				token.set(canary)
			}
			_, err = list(t, f)
			require.NoError(t, err)
			require.Empty(t, f.Problems())
		})
	}
}

func TestATokenThatIsNotAcceptedIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f := serve(t, fakegithub.Options{Token: "another"}, github.Config{Credentials: tokens(canary)})
		asked := func() int {
			_, err := list(t, f)
			requireCode(t, events.CodeUnauthenticated, err)
			all, _ := fake.Requests()
			return all
		}
		require.Equal(t, 1, asked())
		require.Equal(t, 1, asked())
		pause(t, 10*time.Second)
		require.Equal(t, 2, asked())
		pause(t, 10*time.Second)
		require.Equal(t, 2, asked(), "then after twice as long")
		pause(t, 10*time.Second)
		require.Equal(t, 3, asked())
		fake.SetTokens(canary)
		pause(t, time.Hour)
		_, err := list(t, f)
		require.NoError(t, err)
	})
}
