package ciwatch_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
)

// simulation is polls of a GitHub that answers as GitHub does, with its limits and its tokens, at a time that is made up:
// the planner says who is asked when, the forge asks, and no network is between.
type simulation struct {
	now     time.Time
	began   time.Time
	fake    *fakegithub.Server
	forge   *github.Forge
	planner *pace.Planner
	random  *rand.Rand
	repos   []string
	token   *hourlyToken
	happens []happening // the earliest first

	known  map[string]int64    // by repository, the newest run that was seen
	unseen map[int64]time.Time // by run, when it ended

	polls, free, failed int
	least               int           // requests that were left to the token at any time
	latest              time.Duration // how late a run was seen
}

// happening is something that happens at a time.
type happening struct {
	at time.Time
	do func()
}

// hourlyToken is a token that is another one each hour.
type hourlyToken struct{ number int }

// Current implements [secret.Source].
func (h *hourlyToken) Current() string { return fmt.Sprintf("ghs_hour%d", h.number) }

// Renew implements [secret.Source]: the token is known as soon as it is another one.
func (h *hourlyToken) Renew(context.Context, string) {}

// simulate makes a GitHub with some repositories, in some of which a run ends each hour for some hours, and a token with 5,000 requests an
// hour.
func simulate(t *testing.T, repos, hours, runs int) *simulation {
	t.Helper()
	began := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	s := &simulation{
		now: began, began: began, random: rand.New(rand.NewPCG(3, 3)), planner: pace.New(pace.Config{}), token: &hourlyToken{},
		known: map[string]int64{}, unseen: map[int64]time.Time{}, least: 5000,
	}
	clock := func() time.Time { return s.now }
	var err error
	s.fake, err = fakegithub.New(fakegithub.Options{Token: s.token.Current(), RateLimit: 5000, Now: clock})
	require.NoError(t, err)
	s.forge, err = github.New(github.Config{
		Credentials: []github.Credential{{Token: secret.Live(s.token)}}, Transport: s.fake, Now: clock,
	})
	require.NoError(t, err)
	for i := range repos {
		repo := fmt.Sprintf("acme/repo-%03d", i)
		s.repos = append(s.repos, repo)
		for range 3 {
			s.known[repo] = s.fake.AddRunTo(repo, "success").ID
		}
	}
	for hour := range hours {
		for range runs {
			at := began.Add(time.Duration(hour)*time.Hour + time.Duration(s.random.Int64N(int64(time.Hour))))
			s.happens = append(s.happens, happening{at: at, do: s.runEnds})
		}
		if hour > 0 {
			s.happens = append(s.happens, happening{at: began.Add(time.Duration(hour) * time.Hour), do: s.rotate})
		}
	}
	slices.SortFunc(s.happens, func(a, b happening) int { return a.at.Compare(b.at) })
	s.planner.Watch(s.repos, s.now)
	return s
}

// runEnds has a run end in one of the repositories.
func (s *simulation) runEnds() {
	conclusion := []string{"success", "failure"}[s.random.IntN(2)]
	run := s.fake.AddRunTo(s.repos[s.random.IntN(len(s.repos))], conclusion)
	s.unseen[run.ID] = s.now
}

// rotate has another token take the place of the token.
func (s *simulation) rotate() {
	old := s.token.Current()
	s.token.number++
	s.fake.RotateToken(old, s.token.Current())
}

// run polls until some time after the day.
func (s *simulation) run(t *testing.T, until time.Time) {
	t.Helper()
	for s.now.Before(until) {
		for len(s.happens) > 0 && !s.happens[0].at.After(s.now) {
			s.happens[0].do()
			s.happens = s.happens[1:]
		}
		s.planner.Budget(s.now, s.forge.Quotas())
		repo, due, ok := s.planner.Next(s.now)
		require.True(t, ok)
		if len(s.happens) > 0 && s.happens[0].at.Before(due) {
			due = s.happens[0].at
		}
		if due.After(s.now) {
			s.now = due
			continue
		}
		s.poll(t, repo)
	}
}

// poll asks for the runs of a repository, and for the jobs of those that failed.
func (s *simulation) poll(t *testing.T, repo string) {
	t.Helper()
	s.planner.Began(repo, s.now)
	s.polls++
	page, err := s.forge.Runs(t.Context(), forge.Query{Repository: repo})
	outcome := pace.Outcome{Err: err, NotModified: page.NotModified, Wait: page.Wait}
	if !page.NotModified {
		outcome.Calls++
	}
	if err != nil {
		s.failed++
	}
	if page.NotModified {
		s.free++
	}
	for _, run := range page.Runs {
		if run.ID <= s.known[repo] {
			continue
		}
		outcome.Changed = true
		ended, isNew := s.unseen[run.ID]
		require.True(t, isNew, "a run is seen once")
		delete(s.unseen, run.ID)
		s.latest = max(s.latest, s.now.Sub(ended))
		if run.Conclusion.Failed() {
			outcome.Calls++
			if _, err := s.forge.Jobs(t.Context(), run); err != nil {
				s.failed++
			}
		}
	}
	if len(page.Runs) > 0 {
		s.known[repo] = max(s.known[repo], slices.MaxFunc(page.Runs, func(a, b forge.Run) int { return cmp.Compare(a.ID, b.ID) }).ID)
	}
	s.least = min(s.least, s.fake.Remaining(s.token.Current()))
	s.now = s.now.Add(20 * time.Millisecond)
	s.planner.Done(repo, s.now, outcome)
}

// tell logs what came of it.
func (s *simulation) tell(t *testing.T) {
	t.Helper()
	all, notModified := s.fake.Requests()
	t.Logf("%d polls, %.2f %% free; %d requests, %d of them 304; at most %d of 5,000 an hour counted (%.1f %%); %d failed; runs seen within %v",
		s.polls, 100*float64(s.free)/float64(s.polls), all, notModified, 5000-s.least, float64(5000-s.least)/50, s.failed, s.latest)
}

// 300 repositories, 1 % of which change each hour, cost at most 15 % of one token's requests, although it is another one each hour; of all
// answers 90 % say that nothing has changed.
//
// With the race detector on, which finds in six hours what it finds in a day, it is six hours.
func TestDayOfPolls(t *testing.T) {
	t.Parallel()
	hours := 24
	if raced {
		hours = 6
	}
	s := simulate(t, 300, hours, 3)
	s.run(t, s.began.Add(time.Duration(hours)*time.Hour+10*time.Minute))
	s.tell(t)
	require.Zero(t, s.failed)
	require.Empty(t, s.unseen)
	require.LessOrEqual(t, 5000-s.least, 5000*15/100)
	all, notModified := s.fake.Requests()
	require.GreaterOrEqual(t, float64(notModified), 0.9*float64(all))
	require.LessOrEqual(t, s.latest, 5*time.Minute+10*time.Second)
}

// Nothing is lost in storms of refusals and faults, and the limits hold.
func TestPollsInStorms(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]fakegithub.Failure{
		"403, secondary limit":    {Status: http.StatusForbidden, Secondary: true},
		"403, limit":              {Status: http.StatusForbidden, ResetAfter: 10 * time.Minute},
		"429, saying how long":    {Status: http.StatusTooManyRequests, RetryAfter: 90 * time.Second},
		"500":                     {Status: http.StatusInternalServerError},
		"502, and no JSON":        {Status: http.StatusBadGateway, Body: "<html>Unicorn!</html>"},
		"200, and half an answer": {Body: `{"total_count": 30, "workflow_runs": [`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repos, hours := 300, 5
			if raced {
				repos, hours = 100, 3 // with one storm, and what comes after it
			}
			s := simulate(t, repos, hours, 30)
			s.fake.SetFault(func(*http.Request) (fakegithub.Failure, bool) {
				stormy := s.now.Sub(s.began)%(2*time.Hour) > 2*time.Hour-15*time.Minute
				return failure, stormy && s.random.IntN(10) > 0
			})
			s.run(t, s.began.Add(time.Duration(hours)*time.Hour))
			s.fake.Heal()
			s.run(t, s.began.Add(time.Duration(hours)*time.Hour+10*time.Minute))
			s.tell(t)
			require.Positive(t, s.failed)
			require.Empty(t, s.unseen)
			require.LessOrEqual(t, 5000-s.least, 4000)
			require.LessOrEqual(t, s.latest, 90*time.Minute, "the storm, and at most an hour that was asked for")
		})
	}
}
