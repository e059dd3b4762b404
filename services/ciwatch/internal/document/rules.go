package document

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// Bounds of a rule.
const (
	maxFailures   = 1000
	maxPasses     = 64 // as many runs as are remembered
	maxStaleAfter = 8760 * time.Hour
	maxCooldown   = 7 * 24 * time.Hour
	maxAttempts   = 20 // as many recoveries as are remembered
)

// rules reads the section rules.
func (b *reader) rules(n *yaml.Node) {
	if n == nil {
		return
	}
	lines := make(map[string]int)
	items := b.items(n, "rules", maxRules)
	for i, item := range items {
		rule := b.rule(item, "rule "+strconv.Itoa(i+1))
		if first, twice := lines[rule.Name]; twice {
			b.Complain(item, "there is a rule %q already, in line %d", rule.Name, first)
		}
		lines[rule.Name] = item.Line
		b.doc.Rules = append(b.doc.Rules, rule)
	}
	if b.Err() == nil {
		b.reached(items)
	}
}

// reached checks that every rule can hold: that none before it leaves nothing to it.
func (b *reader) reached(items []*yaml.Node) {
	rules := b.doc.Rules
	all := slices.IndexFunc(rules, func(r policy.Rule) bool {
		return len(r.Repositories)+len(r.Workflows)+len(r.Branches)+len(r.Events) == 0
	})
	if all < 0 {
		return
	}
	for i, r := range rules[all+1:] {
		if first := rules[all]; first.PullRequests || first.Ignore || !r.PullRequests {
			b.Complain(items[all+1+i], "the rule %q never holds: the rule %q, in line %d, is for all runs, and the first that matches is the one",
				r.Name, first.Name, items[all].Line)
		}
	}
}

// rule reads one entry, which has a name if it says none.
func (b *reader) rule(n *yaml.Node, name string) policy.Rule {
	rule := policy.Rule{
		Name: name, FailuresToAlert: policy.DefaultFailures, PassesToClose: policy.DefaultPasses,
		Recovery: policy.Recovery{
			Action: policy.Publish, Cooldown: policy.DefaultCooldown,
			AttemptsPerCommit: policy.DefaultAttemptsPerCommit, AttemptsPerHour: policy.DefaultAttemptsPerHour,
		},
	}
	if n.Tag == "!!null" {
		b.Complain(n, "a rule is empty; it says at least its name")
	}
	for key, value := range b.Pairs(n, "a rule") {
		if b.matching(&rule, key, value) {
			continue
		}
		switch key.Value {
		case "name":
			rule.Name = b.ruleName(value, name)
		case "failures_to_alert":
			rule.FailuresToAlert = int(b.Whole(value, "failures_to_alert", 1, maxFailures))
		case "passes_to_close":
			rule.PassesToClose = int(b.Whole(value, "passes_to_close", 1, maxPasses))
		case "stale_after":
			rule.StaleAfter = b.Duration(value, "stale_after", 0, maxStaleAfter)
		case "neutral_passes":
			rule.NeutralPasses = b.yes(value, "neutral_passes")
		case "run_events":
			rule.AllRuns = b.word(value, "run_events", []string{"transitions", "all"}) == "all"
		case "recovery":
			b.recovery(value, &rule.Recovery)
		default:
			b.Complain(key, "unknown key %.80q; there are name, repositories, workflows, branches, events, pull_requests, ignore, "+
				"failures_to_alert, passes_to_close, stale_after, neutral_passes, run_events and recovery", key.Value)
		}
	}
	return rule
}

// matching reads a key that says which runs a rule is for; ok is false when it is none.
func (b *reader) matching(rule *policy.Rule, key, value *yaml.Node) (ok bool) {
	switch key.Value {
	case "repositories":
		rule.Repositories = b.repositoryPatterns(value)
	case "workflows":
		rule.Workflows = b.patterns(value, "workflows", "a workflow")
	case "branches":
		rule.Branches = b.patterns(value, "branches", "a branch")
	case "events":
		rule.Events = b.patterns(value, "events", "an event")
	case "pull_requests":
		rule.PullRequests = b.yes(value, "pull_requests")
	case "ignore":
		rule.Ignore = b.yes(value, "ignore")
	default:
		return false
	}
	return true
}

// ruleName reads what a rule is called in events.
func (b *reader) ruleName(n *yaml.Node, otherwise string) string {
	name := b.Text(n, "name")
	if name == "" {
		return otherwise
	}
	if len(name) > maxName || !printable(name) {
		b.Complain(n, "the name of a rule has at most %d bytes and is one line", maxName)
		return otherwise
	}
	return name
}

// Bounds of never_when_step.
const (
	maxExpressions = 64
	maxExpression  = 512 // bytes
)

// expressions reads a list of regular expressions.
func (b *reader) expressions(n *yaml.Node, what string) []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, item := range b.items(n, what, maxExpressions) {
		text := b.Text(item, "a regular expression")
		if text == "" {
			continue
		}
		re, err := compile(text)
		if err != nil {
			b.Complain(item, "%s: %w", what, err)
			continue
		}
		all = append(all, re)
	}
	return all
}

// compile reads a regular expression.
func compile(text string) (*regexp.Regexp, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("a regular expression has %d bytes; at most %d are allowed", len(text), maxExpression)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%.80q is no regular expression (RE2): %w", text, err)
	}
	return re, nil
}
