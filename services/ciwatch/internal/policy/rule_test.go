package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

func TestTracker(t *testing.T) {
	t.Parallel()
	r := policy.Rule{
		FailuresToAlert: 4, PassesToClose: 2, StaleAfter: time.Hour, NeutralPasses: true, AllRuns: true, Recovery: policy.Recovery{Cooldown: time.Minute},
	}
	require.Equal(t, tracker.Rules{
		FailuresToAlert: 4, PassesToClose: 2, StaleAfter: time.Hour, NeutralPasses: true, AllRuns: true, Cooldown: time.Minute,
	}, r.Tracker())
	require.Len(t, policy.Actions(), 6)
}

func TestRuleMatches(t *testing.T) {
	t.Parallel()
	pull := func(r *forge.Run) { r.PullRequest, r.Branch = true, "feature/x" }
	for name, c := range map[string]struct {
		rule    policy.Rule
		run     func(*forge.Run)
		matches bool
	}{
		"all":                            {policy.Rule{}, nil, true},
		"repository":                     {policy.Rule{Repositories: patterns(t, "neuron7x/mlsdm")}, nil, true},
		"repository, upper case":         {policy.Rule{Repositories: patterns(t, "neuron7x/mlsdm")}, func(r *forge.Run) { r.Repository = "Neuron7x/MLSDM" }, true},
		"one of two":                     {policy.Rule{Repositories: patterns(t, "acme/*", "neuron7x/*")}, nil, true},
		"another owner":                  {policy.Rule{Repositories: patterns(t, "acme/*")}, nil, false},
		"an owner that begins alike":     {policy.Rule{Repositories: patterns(t, "neuron7x/*")}, func(r *forge.Run) { r.Repository = "neuron7x-evil/mlsdm" }, false},
		"forge":                          {policy.Rule{Repositories: patterns(t, "github:neuron7x/*")}, nil, true},
		"another forge":                  {policy.Rule{Repositories: patterns(t, "gitlab:neuron7x/*")}, nil, false},
		"forge in the repository":        {policy.Rule{Repositories: patterns(t, "gitlab:**")}, func(r *forge.Run) { r.Repository = "evil/gitlab:x" }, false},
		"subgroup":                       {policy.Rule{Repositories: patterns(t, "acme/*")}, func(r *forge.Run) { r.Repository = "acme/sub/x" }, false},
		"subgroups":                      {policy.Rule{Repositories: patterns(t, "acme/**")}, func(r *forge.Run) { r.Repository = "acme/sub/x" }, true},
		"workflow's name":                {policy.Rule{Workflows: patterns(t, "C*")}, nil, true},
		"workflow's file":                {policy.Rule{Workflows: patterns(t, "ci.yml")}, nil, true},
		"workflow's id":                  {policy.Rule{Workflows: patterns(t, "7")}, nil, true},
		"another workflow":               {policy.Rule{Workflows: patterns(t, "77", "ci", "ci.yaml")}, nil, false},
		"no file":                        {policy.Rule{Workflows: patterns(t, "*.yml")}, func(r *forge.Run) { r.File = "" }, false},
		"branch":                         {policy.Rule{Branches: patterns(t, "main")}, nil, true},
		"another branch":                 {policy.Rule{Branches: patterns(t, "release/*")}, nil, false},
		"default branch":                 {policy.Rule{Branches: patterns(t, "HEAD")}, nil, true},
		"not the default branch":         {policy.Rule{Branches: patterns(t, "HEAD")}, func(r *forge.Run) { r.Branch = "develop" }, false},
		"a branch called HEAD":           {policy.Rule{Branches: patterns(t, "HEAD")}, func(r *forge.Run) { r.Branch = "HEAD" }, false},
		"no branch":                      {policy.Rule{Branches: patterns(t, "HEAD")}, func(r *forge.Run) { r.Branch = "" }, false},
		"event":                          {policy.Rule{Events: patterns(t, "schedule", "push")}, nil, true},
		"another event":                  {policy.Rule{Events: patterns(t, "schedule")}, nil, false},
		"pull request":                   {policy.Rule{}, pull, false},
		"pull request, wanted":           {policy.Rule{PullRequests: true}, pull, true},
		"not only pull requests":         {policy.Rule{PullRequests: true}, nil, true},
		"pull request, another branch":   {policy.Rule{PullRequests: true, Branches: patterns(t, "main")}, pull, false},
		"fork":                           {policy.Rule{PullRequests: true}, func(r *forge.Run) { pull(r); r.FromFork = true }, false},
		"fork without a pull request":    {policy.Rule{}, func(r *forge.Run) { r.FromFork = true }, false},
		"all have to match":              {policy.Rule{Workflows: patterns(t, "CI"), Branches: patterns(t, "main"), Events: patterns(t, "schedule")}, nil, false},
		"all match":                      {policy.Rule{Workflows: patterns(t, "CI"), Branches: patterns(t, "main"), Events: patterns(t, "push")}, nil, true},
		"a workflow is no regexp":        {policy.Rule{Workflows: patterns(t, "C.")}, nil, false},
		"a line more in a branch's name": {policy.Rule{Branches: patterns(t, "main")}, func(r *forge.Run) { r.Branch = "main\nx" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(1, 1, forge.Failure)
			if c.run != nil {
				c.run(&r)
			}
			c.rule.Name = name
			found, ok := policy.Rules{c.rule}.For("github", r, "main")
			require.Equal(t, c.matches, ok)
			require.Equal(t, ok, found.Name == name)
		})
	}
}

func TestTheFirstRuleThatMatchesIsTheOne(t *testing.T) {
	t.Parallel()
	rules := policy.Rules{
		{Name: "no docs", Workflows: patterns(t, "Docs"), Ignore: true},
		{Name: "main", Branches: patterns(t, "HEAD"), FailuresToAlert: 1},
		{Name: "rest", PullRequests: true},
		{Name: "never"},
	}
	of := func(change func(*forge.Run)) string {
		r := run(1, 1, forge.Failure)
		change(&r)
		rule, ok := rules.For("github", r, "main")
		require.Equal(t, ok, rule.Name != "" && !rule.Ignore)
		return rule.Name
	}
	require.Equal(t, "main", of(func(*forge.Run) {}))
	require.Equal(t, "rest", of(func(r *forge.Run) { r.Branch = "develop" }))
	require.Equal(t, "rest", of(func(r *forge.Run) { r.PullRequest = true }))
	require.Equal(t, "no docs", of(func(r *forge.Run) { r.Workflow = "Docs" }))
	require.Equal(t, "no docs", of(func(r *forge.Run) { r.Workflow, r.PullRequest = "Docs", true }), "what is ignored is, whoever started it")
	_, ok := policy.Rules(nil).For("github", run(1, 1, forge.Failure), "main")
	require.False(t, ok)
	rule, ok := rules.For("github", run(1, 1, forge.Failure), "")
	require.True(t, ok)
	require.Equal(t, "rest", rule.Name, "nothing is on a default branch that is not known")
}

func TestTheDefaultBranchOfARecovery(t *testing.T) {
	t.Parallel()
	rules := policy.Rules{rule()}
	rules[0].Recovery.Branches = patterns(t, "HEAD", "release/*")
	require.True(t, rules.AsksDefaultBranch())
	s, now := degraded(nil)
	decide := func(defaultBranch string) policy.Decision {
		found, ok := rules.For("github", run(3, 1, forge.Failure), defaultBranch)
		require.True(t, ok)
		return policy.Decide(s, found, now, false)
	}
	requireActs(t, decide("main"))
	requireNot(t, decide("develop"), `the rule "main branches" recovers nothing on branch main`)
	requireNot(t, decide(""), "recovers nothing on branch main")
	requireActs(t, decide("main"))
	require.Equal(t, "HEAD", rules[0].Recovery.Branches[0].String(), "the rules stay as they are")
}

func TestBranch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules policy.Rules
		want  string
	}{
		"no rules":       {nil, ""},
		"one":            {policy.Rules{{Branches: patterns(t, "main")}}, "main"},
		"all":            {policy.Rules{{}}, ""},
		"one and all":    {policy.Rules{{Branches: patterns(t, "main")}, {}}, ""},
		"two":            {policy.Rules{{Branches: patterns(t, "main", "develop")}}, ""},
		"two rules":      {policy.Rules{{Branches: patterns(t, "main")}, {Branches: patterns(t, "develop")}}, ""},
		"one, twice":     {policy.Rules{{Branches: patterns(t, "main", "main")}, {Branches: patterns(t, "main")}}, "main"},
		"a pattern":      {policy.Rules{{Branches: patterns(t, "release/*")}}, ""},
		"the default":    {policy.Rules{{Branches: patterns(t, "HEAD")}}, "trunk"},
		"the default, 2": {policy.Rules{{Branches: patterns(t, "HEAD", "trunk")}}, "trunk"},
		"another, too":   {policy.Rules{{Branches: patterns(t, "HEAD", "main")}}, ""},
		"pull requests":  {policy.Rules{{Branches: patterns(t, "main"), PullRequests: true}}, ""},
		"ignored":        {policy.Rules{{Ignore: true}, {Branches: patterns(t, "main")}}, "main"},
		"of others":      {policy.Rules{{Repositories: patterns(t, "acme/*")}, {Branches: patterns(t, "main")}}, "main"},
		"of another forge": {policy.Rules{
			{Repositories: patterns(t, "gitlab:**"), Branches: patterns(t, "develop")}, {Repositories: patterns(t, "github:**"), Branches: patterns(t, "main")},
		}, "main"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, c.rules.Branch("github", "Neuron7x/mlsdm", "trunk"))
		})
	}
	require.Empty(t, policy.Rules{{Branches: patterns(t, "HEAD")}}.Branch("github", "neuron7x/mlsdm", ""), "it is not known")
}

// TestBranchHidesNothing: whatever is watched of a repository is on the branch that the forge is asked for.
func TestBranchHidesNothing(t *testing.T) {
	t.Parallel()
	lists := [][]policy.Pattern{nil, patterns(t, "main"), patterns(t, "HEAD"), patterns(t, "dev"), patterns(t, "*"), patterns(t, "main", "HEAD")}
	for _, first := range lists {
		for _, second := range lists {
			for flags := range 8 {
				rules := policy.Rules{{Branches: first, Ignore: flags&1 != 0, PullRequests: flags&2 != 0}, {Branches: second, PullRequests: flags&4 != 0}}
				for _, defaultBranch := range []string{"main", "dev", ""} {
					asked := rules.Branch("github", "neuron7x/mlsdm", defaultBranch)
					for _, branch := range []string{"main", "dev", "other"} {
						for _, pull := range []bool{false, true} {
							r := run(1, 1, forge.Failure)
							r.Branch, r.PullRequest = branch, pull
							if _, ok := rules.For("github", r, defaultBranch); ok && asked != "" {
								require.Equal(t, asked, branch, "%+v", rules)
							}
						}
					}
				}
			}
		}
	}
}

func TestAsksDefaultBranch(t *testing.T) {
	t.Parallel()
	require.False(t, policy.Rules(nil).AsksDefaultBranch())
	require.False(t, policy.Rules{{Branches: patterns(t, "main", "HEAD*")}}.AsksDefaultBranch())
	require.True(t, policy.Rules{{}, {Branches: patterns(t, "main", "HEAD")}}.AsksDefaultBranch())
}
