// Package document reads the file in which an operator says what is watched and how: forges, repositories, rules and polls.
//
//	forges:
//	  - name: github                       # how events, status and keys call it; the kind, if it is left out
//	    kind: github                       # or gitlab; the name, if it is left out
//	    url: https://api.github.com        # the public one, if it is left out
//	    tokens: [secret:github_token]      # or app: {id: 1, installation: 2, private_key: file:/run/secrets/app.pem}
//	    webhook_secrets: [secret:hooks]    # the newest first; all are accepted
//	    polls: true                        # false: only its webhooks tell
//	repositories: [neuron7x/mlsdm, "neuron7x/*"]   # with several forges: gitlab:group/sub/project
//	rules:                                 # the first that matches a run is its rule; what matches none is not watched
//	  - name: main branches
//	    repositories: ["acme/*"]           # patterns: * is any text without a slash, ** any text; without any, all
//	    workflows: [ci.yml, "Deploy*", 123]
//	    branches: [HEAD, "release/*"]      # HEAD is the repository's default branch
//	    events: [push, schedule]
//	    pull_requests: false               # theirs too, by themselves
//	    ignore: false                      # what matches is not watched
//	    failures_to_alert: 3
//	    passes_to_close: 1
//	    stale_after: 72h
//	    neutral_passes: false
//	    run_events: transitions            # or all
//	    recovery:
//	      action: rerun_failed_jobs        # none, publish, rerun, workflow_dispatch or webhook
//	      dry_run: false                   # true, if it is left out and the action is more than publish
//	      cooldown: 5m
//	      attempts_per_commit: 1
//	      attempts_per_hour: 5
//	      branches: [HEAD]
//	      events: [push]
//	      never_when_step: ["(?i)deploy"]  # regular expressions (RE2) for names of jobs and steps that failed
//	      workflow: recover.yml            # these two for workflow_dispatch
//	      inputs: {reason: broken}
//	      url: https://example.org/hook    # these two for webhook; url may be a reference, too
//	      secret: secret:recovery_hook
//	poll: {interval: 30s, max: 5m, share: 0.8, settle: 5s}
//
// Secrets are references; see [secret.NewReference]. What is not understood is an error with its line.
package document

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// Document is what the file says.
type Document struct {
	// Forges are those of the file, in its order; none: the one that the settings describe.
	Forges []Forge
	// Repositories are those that are to be watched; none: those of the settings.
	Repositories []Repository
	// Rules are tried in their order; nil: the one of the settings.
	Rules policy.Rules
	// Poll says how often forges are polled.
	Poll Poll
}

// Kinds of forges.
const (
	GitHub = "github"
	GitLab = "gitlab"
)

// Forge is a forge and how it is asked.
type Forge struct {
	// Name is 1 to 64 of a-z 0-9 - and _, and no other forge's.
	Name string
	// Kind is [GitHub] or [GitLab].
	Kind string
	// URL is the base of its API, http or https without user, query and fragment; empty is the public one of its kind.
	URL string
	// Tokens and App are what it is asked with: some tokens, an app, or neither. All are references.
	Tokens []secret.Value
	App    *App
	// WebhookSecrets sign its webhooks, or come with them; the first is the newest, and all are accepted.
	WebhookSecrets []secret.Value
	// Silent says that it is never polled: only its webhooks tell.
	Silent bool
}

// App is the installation of a GitHub App.
type App struct {
	// ID and Installation are GitHub's ids, greater than 0.
	ID, Installation int64
	// Key is the private key, PEM: a reference.
	Key secret.Value
}

// Repository is a repository that is to be watched, or a pattern of those of one owner.
type Repository struct {
	// Forge is the forge's name.
	Forge string
	// Owner is everything before the last slash that stands before any star.
	Owner string
	// Name is the repository, or the pattern, as it was written.
	Name string
	// Pattern is matched with "owner/name", in lower case.
	Pattern policy.Pattern
}

// Poll says how often forges are polled.
type Poll struct {
	// Interval is how often one is asked about a repository in which something happens, 5 s to 24 h; Max about one in which nothing does,
	// Interval to 24 h.
	Interval, Max time.Duration
	// Share is the part of each credential's limit that may be spent, 0.01 to 1.
	Share float64
	// Settle is how long what a webhook tells waits for what may have ended before it, 1 s to 5 min.
	Settle time.Duration
}

// Defaults are what holds where the file says nothing.
type Defaults struct {
	// Forge is the name of the forge that the settings describe, a [GitHub]: the only one, if the file has none.
	Forge string
	// Poll is that of the settings. It is not checked.
	Poll Poll
}

// Bounds of the file.
const (
	maxForges       = 32
	maxRepositories = 10_000
	maxRules        = 256
	maxPatterns     = 256 // in a list
	maxName         = 64  // bytes of a name of a forge or a rule
)

// reader reads the sections.
type reader struct {
	*section.Reader

	defaults Defaults
	doc      Document
	kinds    map[string]string // of all forges, by name; empty when it is not known
}

// Read reads a file's document; root is nil for an empty one. What is not right goes to r with its line, and what is returned is then
// not to be used.
func Read(r *section.Reader, root *yaml.Node, base Defaults) Document {
	b := &reader{Reader: r, defaults: base, doc: Document{Poll: base.Poll}, kinds: make(map[string]string)}
	var forges, repositories, rules, poll *yaml.Node
	if root != nil {
		for key, value := range r.Pairs(root, "the file") {
			switch key.Value {
			case "forges":
				forges = value
			case "repositories":
				repositories = value
			case "rules":
				rules = value
			case "poll":
				poll = value
			default:
				r.Complain(key, "unknown section %.80q; there are forges, repositories, rules and poll", key.Value)
			}
		}
	}
	b.forges(forges) // first: the others name them
	b.repositories(repositories)
	b.rules(rules)
	b.poll(poll)
	return b.doc
}

// Bounds of the section poll. One poll in five seconds is 720 an hour, of the 5,000 that GitHub gives a token.
const (
	minPoll   = 5 * time.Second
	maxPoll   = 24 * time.Hour
	minShare  = 0.01
	minSettle = time.Second
	maxSettle = 5 * time.Minute
)

// poll reads the section poll.
func (b *reader) poll(n *yaml.Node) {
	if n == nil {
		return
	}
	p := &b.doc.Poll
	var longest *yaml.Node
	for key, value := range b.Pairs(n, "poll") {
		switch key.Value {
		case "interval":
			p.Interval = b.Duration(value, "interval", minPoll, maxPoll)
		case "max":
			longest = value
		case "share":
			p.Share = b.Number(value, "share", minShare, 1)
		case "settle":
			p.Settle = b.Duration(value, "settle", minSettle, maxSettle)
		default:
			b.Complain(key, "unknown key %.80q; there are interval, max, share and settle", key.Value)
		}
	}
	switch {
	case longest != nil:
		p.Max = b.Duration(longest, "max", max(p.Interval, minPoll), maxPoll)
	case p.Max > 0:
		p.Max = max(p.Max, p.Interval)
	}
}
