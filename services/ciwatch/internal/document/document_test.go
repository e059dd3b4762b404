package document_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/document"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// settings are what holds without a file.
func settings() document.Defaults {
	return document.Defaults{
		Forge: "github", Poll: document.Poll{Interval: 30 * time.Second, Max: 5 * time.Minute, Share: 0.8, Settle: 5 * time.Second},
	}
}

// read reads a file as the service does.
func read(text string) (document.Document, error) {
	r := section.New("ci.yaml")
	root, err := r.Document([]byte(text))
	if err != nil {
		return document.Document{}, err
	}
	doc := document.Read(r, root, settings())
	return doc, r.Err()
}

func mustRead(t *testing.T, text string) document.Document {
	t.Helper()
	doc, err := read(text)
	require.NoError(t, err)
	return doc
}

// texts are patterns as they were written.
func texts[T fmt.Stringer](patterns []T) string {
	list := make([]string, len(patterns))
	for i, p := range patterns {
		list[i] = p.String()
	}
	return strings.Join(list, " ")
}

const file = `
forges:
  - name: github
    url: https://api.github.com
    tokens: [secret:github_token, "vault:mlsdm/github#spare"]
    webhook_secrets: [secret:hooks_new, secret:hooks_old]
  - name: house
    kind: github
    url: https://git.house/api/v3
    app: {id: 12, installation: 345678901234, private_key: file:/run/secrets/app.pem}
  - kind: gitlab
    tokens: [env:GITLAB_TOKEN]
    webhook_secrets: [secret:gitlab_hooks]
    polls: false
repositories:
  - github:neuron7x/mlsdm
  - "github:Acme/svc-*"
  - "house:acme/*"
  - gitlab:group/sub/project
  - "gitlab:group/**"
rules:
  - name: noise
    workflows: ["Docs*", 123]
    ignore: true
  - name: main branches
    repositories: ["neuron7x/*", "gitlab:Group/**", "**"]
    workflows: [ci.yml, "Deploy*"]
    branches: [HEAD, "release/*"]
    events: [push, schedule]
    pull_requests: true
    failures_to_alert: 2
    passes_to_close: 3
    stale_after: 72h
    neutral_passes: true
    run_events: all
    recovery:
      action: rerun_failed_jobs
      dry_run: false
      cooldown: 10m
      attempts_per_commit: 2
      attempts_per_hour: 7
      branches: [HEAD]
      events: [push]
      never_when_step: ["(?i)deploy", publish]
  - branches: [main]
    recovery:
      action: workflow_dispatch
      workflow: recover.yml
      inputs: {reason: broken, deep: true, empty: "", n: 3}
  - name: rest
    run_events: transitions
    recovery: {action: webhook, url: "https://example.org/hook?x=1", secret: secret:recovery_hook}
poll: {interval: 10s, max: 10m, share: 0.5, settle: 2s}
`

func TestForges(t *testing.T) {
	t.Parallel()
	doc := mustRead(t, file)
	require.Len(t, doc.Forges, 3)
	github, house, gitlab := doc.Forges[0], doc.Forges[1], doc.Forges[2]
	require.Equal(t, []string{"github", document.GitHub, "https://api.github.com"}, []string{github.Name, github.Kind, github.URL})
	require.Len(t, github.Tokens, 2)
	require.Equal(t, "vault:mlsdm/github#spare", github.Tokens[1].Reference().String())
	require.Len(t, github.WebhookSecrets, 2)
	require.Equal(t, "secret:hooks_new", github.WebhookSecrets[0].Reference().String())
	require.Nil(t, github.App)
	require.False(t, github.Silent)
	require.Equal(t, []string{"house", document.GitHub, "https://git.house/api/v3"}, []string{house.Name, house.Kind, house.URL})
	require.Equal(t, []int64{12, 345678901234}, []int64{house.App.ID, house.App.Installation})
	require.Equal(t, "file:/run/secrets/app.pem", house.App.Key.Reference().String())
	require.Equal(t, []string{"gitlab", document.GitLab, ""}, []string{gitlab.Name, gitlab.Kind, gitlab.URL})
	require.True(t, gitlab.Silent)
}

func TestReferences(t *testing.T) {
	t.Parallel()
	doc := mustRead(t, strings.Replace(file, "https://example.org/hook?x=1", "secret:recovery_url", 1))
	found := doc.References()
	list := make([]string, len(found))
	for i, ref := range found {
		list[i] = ref.Setting + " " + ref.Secret.String()
	}
	require.Equal(t, []string{
		"forges.github.tokens[0] secret:github_token", "forges.github.tokens[1] vault:mlsdm/github#spare",
		"forges.github.webhook_secrets[0] secret:hooks_new", "forges.github.webhook_secrets[1] secret:hooks_old",
		"forges.house.app.private_key file:/run/secrets/app.pem", "forges.gitlab.tokens[0] env:GITLAB_TOKEN",
		"forges.gitlab.webhook_secrets[0] secret:gitlab_hooks", "rules[3].recovery.url secret:recovery_url", "rules[3].recovery.secret secret:recovery_hook",
	}, list)
	require.Empty(t, document.Document{}.References())
}

// TestSecretsAreLive: what is bound to a reference later is the content of the value that the document has.
func TestSecretsAreLive(t *testing.T) {
	t.Setenv("CIWATCH_DOCUMENT_TOKEN", "hunter2")
	doc := mustRead(t, "forges: [{name: github, tokens: [env:CIWATCH_DOCUMENT_TOKEN]}]")
	require.True(t, doc.Forges[0].Tokens[0].IsPending())
	others, err := config.BindVariables(doc.References())
	require.NoError(t, err)
	require.Empty(t, others)
	require.Equal(t, "hunter2", doc.Forges[0].Tokens[0].Reveal())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, doc), "hunter2")
	}
}

func TestRepositories(t *testing.T) {
	t.Parallel()
	doc := mustRead(t, file)
	list := make([]string, len(doc.Repositories))
	for i, r := range doc.Repositories {
		list[i] = strings.Join([]string{r.Forge, r.Owner, r.Name, r.Pattern.String()}, " ")
	}
	require.Equal(t, []string{
		"github neuron7x neuron7x/mlsdm neuron7x/mlsdm", "github Acme Acme/svc-* acme/svc-*", "house acme acme/* acme/*",
		"gitlab group/sub group/sub/project group/sub/project", "gitlab group group/** group/**",
	}, list)
	require.True(t, doc.Repositories[4].Pattern.Match("group/sub/project"))

	doc = mustRead(t, "repositories: [neuron7x/mlsdm, github:acme/x]")
	require.Empty(t, doc.Forges)
	require.Equal(t, "github", doc.Repositories[0].Forge, "one forge needs no name")
	doc = mustRead(t, "repositories: [a/b/c]\nforges: [{name: work, kind: gitlab}]")
	require.Equal(t, []string{"work", "a/b"}, []string{doc.Repositories[0].Forge, doc.Repositories[0].Owner})
}

func TestRules(t *testing.T) {
	t.Parallel()
	rules := mustRead(t, file).Rules
	require.Len(t, rules, 4)
	noise, main, third, rest := rules[0], rules[1], rules[2], rules[3]
	require.True(t, noise.Ignore)
	require.Equal(t, "Docs* 123", texts(noise.Workflows))

	require.Equal(t, "neuron7x/* gitlab:group/** **", texts(main.Repositories))
	require.Equal(t, "ci.yml Deploy*", texts(main.Workflows))
	require.Equal(t, "HEAD release/*", texts(main.Branches))
	require.Equal(t, "push schedule", texts(main.Events))
	require.Equal(t, "HEAD", texts(main.Recovery.Branches))
	require.Equal(t, "push", texts(main.Recovery.Events))
	require.Equal(t, "(?i)deploy publish", texts(main.Recovery.NeverWhenStep))
	main.Repositories, main.Workflows, main.Branches, main.Events = nil, nil, nil, nil
	main.Recovery.Branches, main.Recovery.Events, main.Recovery.NeverWhenStep = nil, nil, nil
	require.Equal(t, policy.Rule{
		Name: "main branches", PullRequests: true, FailuresToAlert: 2, PassesToClose: 3, StaleAfter: 72 * time.Hour, NeutralPasses: true, AllRuns: true,
		Recovery: policy.Recovery{Action: policy.RerunFailedJobs, Cooldown: 10 * time.Minute, AttemptsPerCommit: 2, AttemptsPerHour: 7},
	}, main)

	require.Equal(t, "rule 3", third.Name)
	require.Equal(t, policy.WorkflowDispatch, third.Recovery.Action)
	require.Equal(t, "recover.yml", third.Recovery.Workflow)
	require.Equal(t, map[string]string{"reason": "broken", "deep": "true", "empty": "", "n": "3"}, third.Recovery.Inputs)
	require.True(t, third.Recovery.DryRun)

	require.Equal(t, "https://example.org/hook?x=1", rest.Recovery.URL.Reveal())
	require.Equal(t, "secret:recovery_hook", rest.Recovery.Secret.Reference().String())
	require.False(t, rest.AllRuns)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	rule := mustRead(t, "rules: [{name: x}]").Rules[0]
	require.Equal(t, policy.Rule{
		Name: "x", FailuresToAlert: 3, PassesToClose: 1,
		Recovery: policy.Recovery{Action: policy.Publish, Cooldown: 5 * time.Minute, AttemptsPerCommit: 1, AttemptsPerHour: 5},
	}, rule)
	for action, dry := range map[string]bool{
		"action: none": false, "action: publish": false, "action: rerun": true, "action: rerun_failed_jobs": true,
		"action: workflow_dispatch, workflow: 12": true, "action: webhook, url: http://localhost/x, secret: env:X": true,
		"": false, "dry_run: true": true, "action: publish, dry_run: true": true, "action: rerun, dry_run: false": false, "dry_run: false, action: rerun": false,
	} {
		rule := mustRead(t, "rules: [{name: x, recovery: {"+action+"}}]").Rules[0]
		require.Equal(t, dry, rule.Recovery.DryRun, action)
	}
	rule = mustRead(t, "rules: [{name: x, recovery: {attempts_per_commit: 0, attempts_per_hour: 0, cooldown: 0s}, stale_after: 0s}]").Rules[0]
	require.Zero(t, rule.Recovery.AttemptsPerCommit+rule.Recovery.AttemptsPerHour)
	require.Zero(t, rule.Recovery.Cooldown)

	for _, text := range []string{"", "# nothing\n", "forges:\nrepositories:\nrules:\npoll:\n", "{forges: [], repositories: [], rules: [], poll: {}}"} {
		require.Equal(t, document.Document{Poll: settings().Poll}, mustRead(t, text), text)
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	require.Equal(t, document.Poll{Interval: 10 * time.Second, Max: 10 * time.Minute, Share: 0.5, Settle: 2 * time.Second}, mustRead(t, file).Poll)
	for text, want := range map[string][2]time.Duration{
		"interval: 10s": {10 * time.Second, 5 * time.Minute}, "interval: 10m": {10 * time.Minute, 10 * time.Minute},
		"max: 30s": {30 * time.Second, 30 * time.Second}, "max: 1h, interval: 1h": {time.Hour, time.Hour},
	} {
		poll := mustRead(t, "poll: {"+text+"}").Poll
		require.Equal(t, want, [2]time.Duration{poll.Interval, poll.Max}, text)
	}
	r := section.New("ci.yaml")
	root, err := r.Document([]byte("poll: {interval: 10s}"))
	require.NoError(t, err)
	doc := document.Read(r, root, document.Defaults{})
	require.NoError(t, r.Err())
	require.Equal(t, document.Poll{Interval: 10 * time.Second}, doc.Poll, "what the settings leave open is left open")
}
