package github_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

func TestSeveralCredentialsShareTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := fakegithub.Options{RateLimit: 20}
		fake, f := serve(t, opts, github.Config{Credentials: tokens("one", "two")})
		fake.SetTokens("one", "two")
		for range 40 {
			fake.AddRun("success")
			page, err := list(t, f)
			require.NoError(t, err)
			require.False(t, page.NotModified)
		}
		require.Zero(t, fake.Remaining("one"))
		require.Zero(t, fake.Remaining("two"))
		fake.AddRun("failure")
		before, _ := fake.Requests()
		_, err := list(t, f)
		wait := requireWait(t, err)
		require.InDelta(t, time.Hour.Seconds(), wait.Seconds(), 2)
		after, _ := fake.Requests()
		require.Equal(t, before, after, "what is used up is known, and not asked for")
		for _, quota := range f.Quotas() {
			require.Equal(t, []int{20, 0, 20}, []int{quota.Limit, quota.Remaining, quota.Spent})
		}
		pause(t, wait)
		for _, quota := range f.Quotas() {
			require.Equal(t, []int{20, 20, 0}, []int{quota.Limit, quota.Remaining, quota.Spent}, "another window")
		}
		page, err := list(t, f)
		require.NoError(t, err)
		require.Equal(t, forge.Failure, page.Runs[0].Conclusion)
	})
}

func TestETagsHoldAcrossCredentials(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{}, github.Config{Credentials: tokens("one", "two")})
	fake.SetTokens("one", "two")
	fake.AddRun("success")
	_, err := list(t, f)
	require.NoError(t, err)
	fake.SetTokens("two") // the first is gone, if it was that; if not, the second is asked anyway
	page, err := list(t, f)
	require.NoError(t, err)
	require.True(t, page.NotModified)
	require.Equal(t, forge.Success, page.Runs[0].Conclusion)
}

func TestOneCredentialFailsAndAnotherServes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure fakegithub.Failure
		served  bool
	}{
		"not accepted":     {fakegithub.Failure{Status: 401}, true},
		"no right":         {fakegithub.Failure{Status: 403, Body: `{"message":"Resource not accessible by personal access token"}`}, true},
		"hidden":           {fakegithub.Failure{Status: 404}, true},
		"primary limit":    {fakegithub.Failure{Status: 403, ResetAfter: time.Minute}, true},
		"secondary limit":  {fakegithub.Failure{Status: 403, Secondary: true}, false},
		"broken":           {fakegithub.Failure{Status: 502}, false},
		"not a good state": {fakegithub.Failure{Status: 422}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, f := serve(t, fakegithub.Options{}, github.Config{Credentials: tokens("one", "two")})
			fake.AddRun("success")
			fake.Fail(test.failure)
			_, err := list(t, f)
			require.Equal(t, test.served, err == nil, err)
			page, err := list(t, f)
			require.NoError(t, err)
			require.Len(t, page.Runs, 1)
		})
	}
}

func TestEachCredentialSeesItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f := serve(t, fakegithub.Options{}, github.Config{Credentials: tokens("one", "two")})
		fake.SetTokens("one", "two")
		fake.Restrict("one", "first")
		fake.Restrict("two", "second/repository")
		for _, name := range []string{"first/a", "first/b", "second/repository"} {
			fake.AddRunTo(name, "success")
		}
		ask := func() int {
			for _, name := range []string{"first/a", "first/b", "second/repository"} {
				page, err := f.Runs(t.Context(), forge.Query{Repository: name})
				require.NoError(t, err)
				require.Len(t, page.Runs, 1)
			}
			all, _ := fake.Requests()
			return all
		}
		learned := ask()
		require.Equal(t, learned+3, ask(), "who sees what is found out once")
		pause(t, 2*time.Hour)
		ask()
		_, err := f.Runs(t.Context(), forge.Query{Repository: "second/other"})
		requireCode(t, events.CodeNotFound, err)
	})
}

func TestNoCredential(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{RateLimit: 5000}, github.Config{})
	fake.AddRun("success")
	for range 60 {
		_, err := list(t, f)
		require.NoError(t, err)
	}
	_, err := list(t, f)
	requireCode(t, events.CodeRateLimited, err)
	require.Equal(t, "no credential", f.Quotas()[0].Credential)
	require.Equal(t, 60, f.Quotas()[0].Spent, "without a token, a 304 counts")
}

func TestASecondaryLimitThatComesAgainIsKeptLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f := serve(t, fakegithub.Options{}, github.Config{Credentials: tokens(canary)})
		fake.AddRun("success")
		wait := func() time.Duration {
			fake.Fail(fakegithub.Failure{Status: 403, Secondary: true, RetryAfter: time.Second})
			_, err := list(t, f)
			wait := requireWait(t, err)
			pause(t, wait)
			return wait
		}
		require.Equal(t, []time.Duration{time.Second, 2 * time.Minute, 4 * time.Minute}, []time.Duration{wait(), wait(), wait()})
		_, err := list(t, f)
		require.NoError(t, err)
		require.Equal(t, time.Second, wait(), "once it has passed, it is another one")
	})
}

func TestManyDoNotFindOutTheSame(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure fakegithub.Failure
		code    events.Code
	}{
		"not accepted":    {fakegithub.Failure{Status: 401}, events.CodeUnauthenticated},
		"primary limit":   {fakegithub.Failure{Status: 403, ResetAfter: time.Minute}, events.CodeRateLimited},
		"secondary limit": {fakegithub.Failure{Status: 429}, events.CodeRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, err := fakegithub.New(fakegithub.Options{})
				require.NoError(t, err)
				fake.Fail(test.failure)
				slow := roundTrip(func(req *http.Request) (*http.Response, error) {
					timer := time.NewTimer(time.Second)
					<-timer.C
					return fake.RoundTrip(req)
				})
				f := open(t, github.Config{Credentials: tokens(canary), Transport: slow})
				var group errgroup.Group
				for range 20 {
					group.Go(func() error {
						if _, err := list(t, f); events.CodeOf(err) != test.code {
							return err
						}
						return nil
					})
				}
				require.NoError(t, group.Wait())
				requests, _ := fake.Requests()
				require.Equal(t, 1, requests, "those who wait are told, and ask no more")
			})
		})
	}
}

func TestRequestsOfACredentialAreMadeOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, err := fakegithub.New(fakegithub.Options{})
		require.NoError(t, err)
		fake.AddRun("success")
		var (
			mu   sync.Mutex
			now  = map[string]int{}
			most = map[string]int{}
			all  atomic.Int64
		)
		slow := roundTrip(func(req *http.Request) (*http.Response, error) {
			who := req.Header.Get("Authorization")
			mu.Lock()
			now[who]++
			most[who] = max(most[who], now[who])
			mu.Unlock()
			timer := time.NewTimer(time.Second)
			<-timer.C
			mu.Lock()
			now[who]--
			mu.Unlock()
			all.Add(1)
			return fake.RoundTrip(req)
		})
		f := open(t, github.Config{Credentials: tokens("one", "two"), Transport: slow})
		began := time.Now()
		var group errgroup.Group
		for range 20 {
			group.Go(func() error {
				_, err := list(t, f)
				return err
			})
		}
		require.NoError(t, group.Wait())
		require.Equal(t, map[string]int{"Bearer one": 1, "Bearer two": 1}, most)
		require.EqualValues(t, 20, all.Load())
		require.Equal(t, 10*time.Second, time.Since(began), "and both are used")
	})
}
