package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// list is a list of n things.
func list(n int, thing string) string {
	things := make([]string, n)
	for i := range things {
		things[i] = fmt.Sprintf(thing, i)
	}
	return "[" + strings.Join(things, ", ") + "]"
}

// What is wrong is said with its line, and what would be right.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const (
		two  = "forges: [{name: github}, {name: gitlab}]\n"
		rule = "rules:\n  - name: x\n    recovery:\n      "
	)
	for name, c := range map[string]struct {
		text string
		want []string // each at the beginning of a line
	}{
		"section": {"rulez: []\n", []string{`:1: unknown section "rulez"; there are forges, repositories, rules and poll`}},
		"no file": {"- x\n", []string{":1: the file is a mapping"}},

		"forges":             {"forges: github\n", []string{":1: forges is a list"}},
		"forge":              {"forges:\n  - hunter2\n", []string{":2: a forge is a mapping"}},
		"forge, empty":       {"forges:\n  -\n", []string{`:2: the kind of a forge is github or gitlab, not ""`}},
		"forge's key":        {"forges:\n  - {name: github, token: x}\n", []string{`:2: unknown key "token"; there are name, kind, url, tokens, app, webhook_secrets and polls`}},
		"forge's kind":       {"forges:\n  - name: x\n    kind: gitea\n", []string{`:3: the kind of a forge is github or gitlab, not "gitea"`}},
		"forge, no kind":     {"forges:\n  - name: x\n", []string{`:2: the kind of a forge is github or gitlab, not ""`}},
		"forge's name":       {"forges:\n  - kind: github\n    name: \"a:b\"\n  - {kind: github, name: Git}\n", []string{":3: the name of a forge has 1 to 64 of a-z 0-9 - and _", ":4: the name of a forge"}},
		"forge's long name":  {"forges:\n  - {kind: github, name: " + strings.Repeat("x", 65) + "}\n", []string{":2: the name of a forge"}},
		"forge twice":        {"forges:\n  - name: github\n  - name: github\n", []string{":3: there is a forge github already, in line 2"}},
		"too many forges":    {"forges: " + list(33, "{kind: github, name: f%d}") + "\n", []string{":1: forges has 33 entries; at most 32 are allowed"}},
		"url":                {"forges:\n  - {name: github, url: \"ftp://hunter2\"}\n", []string{":2: url: it must be https://HOST[/PATH], or http://"}},
		"url, no host":       {"forges:\n  - {name: github, url: \"https://:80\"}\n", []string{":2: url: it must be https://HOST"}},
		"url, password":      {"forges:\n  - {name: github, url: \"https://me:hunter2@x\"}\n", []string{":2: url: it must not hold a user or a password"}},
		"url, fragment":      {"forges:\n  - {name: github, url: \"https://x/#hunter2\"}\n", []string{":2: url: it must not have a fragment"}},
		"url, query":         {"forges:\n  - {name: github, url: \"https://x/?hunter2\"}\n", []string{":2: url: the base of an API has no query"}},
		"url, none":          {"forges:\n  - {name: github, url: \"https://x/%hunter2\"}\n  - {name: gitlab, url: }\n", []string{":2: url: it is not a URL", ":3: url is a text"}},
		"url, long":          {"forges:\n  - {name: github, url: \"https://x/" + strings.Repeat("x", 2048) + "\"}\n", []string{":2: url: it is not a URL"}},
		"tokens":             {"forges:\n  - {name: github, tokens: secret:x}\n", []string{":2: tokens is a list"}},
		"token":              {"forges:\n  - {name: github, tokens: [hunter2]}\n", []string{":2: a token is a reference, such as secret:github_token, env:GITHUB_TOKEN or file:/run/secrets/github; the secret itself does not belong here"}},
		"token, bad":         {"forges:\n  - name: github\n    tokens:\n      - secret:hunter2/x\n      - \"vault:x#\"\n      - {}\n", []string{":4: a token: ", ":5: a token: ", ":6: a token is a text"}},
		"token twice":        {"forges:\n  - {name: github, tokens: [env:A, env:A]}\n", []string{":2: env:A is there twice"}},
		"too many tokens":    {"forges:\n  - {name: github, tokens: " + list(33, "env:A%d") + "}\n", []string{":2: tokens has 33 entries; at most 32 are allowed"}},
		"webhook_secrets":    {"forges:\n  - {name: github, webhook_secrets: [hunter2]}\n", []string{":2: a secret of webhooks is a reference"}},
		"app":                {"forges:\n  - {name: github, app: hunter2}\n", []string{":2: app is a mapping"}},
		"app, empty":         {"forges:\n  - {name: github, app: }\n", []string{":2: an app has an id, an installation and a private_key"}},
		"app, part":          {"forges:\n  - {name: github, app: {id: 1, private_key: env:K}}\n", []string{":2: an app has an id, an installation and a private_key"}},
		"app's key":          {"forges:\n  - {name: github, app: {app_id: 1, installation: 1, private_key: env:K}}\n", []string{`:2: unknown key "app_id"; there are id, installation and private_key`}},
		"app's ids":          {"forges:\n  - {name: github, app: {id: 0, installation: x, private_key: hunter2}}\n", []string{":2: id is a whole number of 1 to", ":2: installation is a whole number", ":2: private_key is a reference"}},
		"app and tokens":     {"forges:\n  - {name: github, tokens: [env:A], app: {id: 1, installation: 1, private_key: env:K}}\n", []string{":2: forge github has tokens and an app; it must be one of them"}},
		"app of GitLab":      {"forges:\n  - {name: gitlab, app: {id: 1, installation: 1, private_key: env:K}}\n", []string{":2: forge gitlab: an app is asked with at GitHub only; write tokens"}},
		"polls":              {"forges:\n  - {name: github, polls: sometimes}\n", []string{":2: polls is true or false"}},
		"polls, a text":      {"forges:\n  - {name: github, polls: \"true\"}\n", []string{":2: polls is true or false"}},
		"neither":            {"forges:\n  - {name: github, polls: false}\n", []string{":2: forge github is not polled and has no webhook_secrets"}},
		"repositories":       {"repositories: a/b\n", []string{":1: repositories is a list"}},
		"no repository":      {"repositories:\n  - mlsdm\n  - \"*\"\n  - \"**\"\n  - \"*/x\"\n  - \"acme*/x\"\n  - /x\n", []string{`:2: "mlsdm" is no repository; it is owner/name, or owner/* for all of an owner's`, ":3: ", ":4: ", ":5: ", ":6: ", ":7: "}},
		"no text":            {"repositories:\n  - [a/b]\n  -\n", []string{":2: a repository is a text", ":3: a repository is a text"}},
		"paths":              {"repositories:\n  - a/b/c\n  - a/..\n  - a/\n  - \"a/b c\"\n  - a/b%2Fc\n  - \"a/[bc]\"\n", []string{`:2: "a/b/c" is no repository of GitHub, which is owner/name`, `:3: "a/.." is no repository: between its slashes are letters`, ":4: ", ":5: ", ":6: ", ":7: "}},
		"a long one":         {"repositories:\n  - a/" + strings.Repeat("x", 511) + "\n", []string{":2: a pattern has 513 bytes; at most 512 are allowed"}},
		"which forge":        {two + "repositories:\n  - a/b\n", []string{`:3: "a/b" may be in any of several forges; say in which, as in github:a/b`}},
		"no such forge":      {two + "repositories:\n  - gitea:a/b\n", []string{`:3: there is no forge "gitea"; there are: github, gitlab`}},
		"forge of a kind":    {two + "repositories:\n  - github:a/b/c\n  - gitlab:a/b/c\n", []string{`:3: "a/b/c" is no repository of GitHub`}},
		"repository twice":   {"repositories:\n  - a/b\n  - github:A/B\n", []string{":3: github:A/B is there twice, first in line 2"}},
		"too many":           {"repositories: " + list(10_001, "a/r%d") + "\n", []string{":1: repositories has 10001 entries; at most 10000 are allowed"}},
		"repository thrice":  {"repositories:\n  - a/b\n  - a/b\n  - a/b\n", []string{":3: a/b is there twice, first in line 2", ":4: a/b is there twice"}},
		"an anchor":          {"repositories: [&x a/b, *x]\n", []string{":1: anchors and aliases are not supported", ":1: anchors"}},
		"a key twice":        {"poll: {}\npoll: {}\n", []string{":2: poll stands there twice, first in line 1"}},
		"poll":               {"poll: 5s\n", []string{":1: poll is a mapping"}},
		"poll's key":         {"poll: {every: 5s}\n", []string{`:1: unknown key "every"; there are interval, max, share and settle`}},
		"poll's interval":    {"poll: {interval: 1s}\n", []string{":1: interval is a duration of 5s to 24h0m0s"}},
		"poll's max":         {"poll: {max: 10s}\n", []string{":1: max is a duration of 30s to 24h0m0s"}},
		"poll's share":       {"poll: {share: 0, settle: 1h}\n", []string{":1: share is a number of 0.01 to 1", ":1: settle is a duration of 1s to 5m0s"}},
		"rules":              {"rules: {}\n", []string{":1: rules is a list"}},
		"rule":               {"rules:\n  - hunter2\n", []string{":2: a rule is a mapping"}},
		"rule, empty":        {"rules:\n  -\n", []string{":2: a rule is empty; it says at least its name"}},
		"rule's key":         {"rules:\n  - {name: x, branch: main}\n", []string{`:2: unknown key "branch"; there are name, repositories, workflows, branches`}},
		"rule's name":        {"rules:\n  - {name: \"a\\nb\"}\n  - {name: " + strings.Repeat("x", 65) + "}\n  - {name: }\n", []string{":2: the name of a rule has at most 64 bytes and is one line", ":3: the name of a rule", ":4: name is a text"}},
		"rule twice":         {"rules:\n  - {name: x, branches: [a]}\n  - {name: x}\n", []string{`:3: there is a rule "x" already, in line 2`}},
		"too many rules":     {"rules: " + list(257, "{name: r%d, branches: [a]}") + "\n", []string{":1: rules has 257 entries; at most 256 are allowed"}},
		"never":              {"rules:\n  - {name: x}\n  - {name: y, branches: [a]}\n  - {name: z, pull_requests: true}\n", []string{`:3: the rule "y" never holds: the rule "x", in line 2, is for all runs, and the first that matches is the one`}},
		"never, ignored":     {"rules:\n  - {name: x, ignore: true}\n  - {name: z, pull_requests: true}\n", []string{`:3: the rule "z" never holds`}},
		"never, pulls":       {"rules:\n  - {name: x, pull_requests: true}\n  - {name: z, pull_requests: true}\n", []string{`:3: the rule "z" never holds`}},
		"patterns":           {"rules:\n  - name: x\n    workflows: ci.yml\n    branches: [\"\", [a]]\n    events: [\"a\\u0001\", \"\\u0002\"]\n", []string{":3: workflows is a list", ":4: a branch is a text", ":4: a branch is a text", `:5: events: the pattern "a\x01" has a control character`, ":5: events: the pattern"}},
		"too many patterns":  {"rules:\n  - {name: x, branches: " + list(257, "b%d") + "}\n", []string{":2: branches has 257 entries; at most 256 are allowed"}},
		"rule's repository":  {"rules:\n  - name: x\n    repositories:\n      - mlsdm\n      - \"*\"\n      - gitea:a/b\n      - a/b c\n      - github:a/b/c\n      - [x]\n      - a/" + strings.Repeat("x", 511) + "\n", []string{`:4: "mlsdm" matches no repository, which has a slash`, ":5: ", `:6: there is no forge "gitea"; there are: github`, `:7: "a/b c" is no repository`, ":8: ", ":9: a repository is a text", ":10: a pattern has 513 bytes"}},
		"pull_requests":      {"rules:\n  - {name: x, pull_requests: 1, ignore: no way, neutral_passes: []}\n", []string{":2: pull_requests is true or false", ":2: ignore is true or false", ":2: neutral_passes is true or false"}},
		"failures_to_alert":  {"rules:\n  - {name: x, failures_to_alert: 0, passes_to_close: 65, stale_after: 1y}\n", []string{":2: failures_to_alert is a whole number of 1 to 1000", ":2: passes_to_close is a whole number of 1 to 64", ":2: stale_after is a duration of 0s to 8760h0m0s"}},
		"run_events":         {"rules:\n  - {name: x, run_events: some}\n", []string{`:2: unknown run_events "some"; there are transitions and all`}},
		"recovery":           {"rules:\n  - {name: x, recovery: rerun}\n", []string{":2: recovery is a mapping"}},
		"recovery's key":     {rule + "retries: 1\n", []string{`:4: unknown key "retries"; there are action, dry_run, cooldown`}},
		"action":             {rule + "action: retry\n", []string{`:4: unknown action "retry"; there are none, publish, rerun_failed_jobs, rerun, workflow_dispatch and webhook`}},
		"dry_run":            {rule + "dry_run: maybe\n", []string{":4: dry_run is true or false"}},
		"cooldown":           {rule + "cooldown: -1s\n", []string{":4: cooldown is a duration of 0s to 168h0m0s"}},
		"attempts":           {rule + "attempts_per_commit: 21\n      attempts_per_hour: -1\n", []string{":4: attempts_per_commit is a whole number of 0 to 20", ":5: attempts_per_hour is a whole number of 0 to 20"}},
		"gates":              {rule + "branches: main\n      events: [\"\"]\n", []string{":4: branches is a list", ":5: an event is a text"}},
		"never_when_step":    {rule + "never_when_step: [\"(\", \"(?=x)\", \"" + strings.Repeat("x", 513) + "\", \"(a{1000}){1000}\", {}, []]\n", []string{`:4: never_when_step: "(" is no regular expression (RE2): error parsing regexp: missing closing )`, ":4: never_when_step: ", ":4: never_when_step: a regular expression has 513 bytes; at most 512 are allowed", ":4: never_when_step: ", ":4: a regular expression is a text", ":4: a regular expression is a text"}},
		"too many steps":     {rule + "never_when_step: " + list(65, "s%d") + "\n", []string{":4: never_when_step has 65 entries; at most 64 are allowed"}},
		"no workflow":        {rule + "action: workflow_dispatch\n", []string{":4: the action workflow_dispatch needs workflow"}},
		"workflow":           {rule + "action: workflow_dispatch\n      workflow: ../x.yml\n", []string{":5: workflow is the name of a file, such as recover.yml, or an id"}},
		"workflow, dots":     {rule + "action: workflow_dispatch\n      workflow: ..\n", []string{":5: workflow is the name of a file"}},
		"workflow, a list":   {rule + "action: workflow_dispatch\n      workflow: []\n", []string{":5: workflow is a text"}},
		"workflow, rerun":    {rule + "action: rerun\n      workflow: x.yml\n      inputs: {}\n", []string{":5: workflow belongs to the action workflow_dispatch; here it is rerun", ":6: inputs belongs to the action workflow_dispatch"}},
		"inputs":             {rule + "action: workflow_dispatch\n      workflow: 12\n      inputs: [a]\n", []string{":6: inputs is a mapping"}},
		"input":              {rule + "action: workflow_dispatch\n      workflow: 12\n      inputs: {a: , b: [], c: !!binary /w==, \"\": d}\n", []string{":6: an input is a name and a text", ":6: an input", ":6: an input", ":6: an input"}},
		"too many inputs":    {rule + "action: workflow_dispatch\n      workflow: 12\n      inputs: {" + strings.Trim(list(26, "a%d: b"), "[]") + "}\n", []string{":6: a workflow has at most 25 inputs, of 65535 bytes in all; these are 26, of"}},
		"too long inputs":    {rule + "action: workflow_dispatch\n      workflow: 12\n      inputs: {a: " + strings.Repeat("x", 65_535) + "}\n", []string{":6: a workflow has at most 25 inputs, of 65535 bytes in all; these are 1, of 65536"}},
		"webhook":            {rule + "action: webhook\n", []string{":4: the action webhook needs url", ":4: the action webhook needs secret"}},
		"webhook of none":    {rule + "url: https://x\n      secret: env:X\n", []string{":4: url belongs to the action webhook; here it is publish", ":5: secret belongs to the action webhook"}},
		"webhook's url":      {rule + "action: webhook\n      url: hunter2\n      secret: hunter2\n", []string{":5: url: it must be https://HOST[/PATH], or http://; one that is a secret can be referred to, as in secret:recovery_url", ":6: secret is a reference"}},
		"webhook's password": {rule + "action: webhook\n      url: https://hunter2@x\n      secret: env:X\n", []string{":5: url: it must not hold a user or a password"}},
		"webhook's ref":      {rule + "action: webhook\n      url: \"secret:hunter2/..\"\n      secret: env:X\n", []string{":5: url: not a name of a secret"}},
		"webhook, no url":    {rule + "action: webhook\n      url: \"\"\n      secret: env:X\n", []string{":5: url is a text"}},
		"all at once":        {"rulez: 1\npoll: {interval: 0s}\nforges: [{kind: x}]\n", []string{":1: unknown section", ":3: the kind", ":2: interval"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(c.text)
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(c.want), "%v", err)
			for i, want := range c.want {
				require.True(t, strings.HasPrefix(lines[i], "ci.yaml"+want), "%s\n%s", lines[i], want)
			}
			require.NotContains(t, err.Error(), "hunter2")
			require.Less(t, len(err.Error()), 4000)
		})
	}
}

// TestAGitLabAloneNeedsNoWorkflow: it starts a pipeline of the branch, which has no name.
func TestAGitLabAloneNeedsNoWorkflow(t *testing.T) {
	t.Parallel()
	const rules = "rules: [{name: x, recovery: {action: workflow_dispatch, inputs: {a: b}}}]\n"
	mustRead(t, "forges: [{kind: gitlab}]\n"+rules)
	_, err := read("forges: [{kind: gitlab}, {kind: github}]\n" + rules)
	require.ErrorContains(t, err, "needs workflow")
}

// TestBounds are those that are just allowed.
func TestBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	doc := mustRead(t, "forges: "+list(32, "{kind: github, name: f%d}")+"\nrepositories: "+list(10_000, "f0:a/r%d")+"\nrules: "+list(256, "{name: r%d, branches: [a]}"))
	require.Equal(t, []int{32, 10_000, 256}, []int{len(doc.Forges), len(doc.Repositories), len(doc.Rules)})
	doc = mustRead(t, "forges: [{kind: gitlab, name: "+long+", tokens: "+list(32, "env:A%d")+"}]\nrules: [{name: "+long+", branches: "+list(256, "b%d")+
		", recovery: {never_when_step: "+list(64, "s%d")+", attempts_per_hour: 20, attempts_per_commit: 20, cooldown: 168h}, failures_to_alert: 1000, stale_after: 8760h}]\n"+
		"poll: {interval: 24h, share: 1, settle: 5m}")
	require.Len(t, doc.Forges[0].Tokens, 32)
	require.Len(t, doc.Rules[0].Recovery.NeverWhenStep, 64)
	doc = mustRead(t, "forges: [{kind: github, name: az-09_z, url: \"https://"+strings.Repeat("x", 2040)+"\"}]\nrepositories: [az09-AZ_.z/Az09]\n"+
		"rules: [{name: x, recovery: {never_when_step: ["+strings.Repeat("x", 512)+"], action: workflow_dispatch, workflow: "+strings.Repeat("x", 255)+
		", inputs: {"+strings.Trim(list(24, "a%d: b"), "[]")+", long: "+strings.Repeat("x", 65_535-len("long")-24-10*2-14*3)+"}}}]")
	require.Len(t, doc.Rules[0].Recovery.Inputs, 25)
}

func FuzzRead(f *testing.F) {
	f.Add(file)
	f.Add("rules: [{name: x, recovery: {action: webhook, url: env:U, secret: env:S}}]")
	f.Add("forges: [{kind: gitlab, polls: false, webhook_secrets: [env:A]}]\nrepositories: [\"a/**\"]")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := read(text)
		if err != nil {
			return
		}
		names := map[string]bool{"github": len(doc.Forges) == 0}
		for _, forge := range doc.Forges {
			require.False(t, names[forge.Name])
			names[forge.Name] = true
			for _, token := range forge.Tokens {
				require.NotNil(t, token.Reference())
			}
		}
		for _, r := range doc.Repositories {
			require.True(t, names[r.Forge])
			require.True(t, strings.HasPrefix(r.Name, r.Owner+"/"))
			require.NotContains(t, r.Owner, "*")
		}
		seen := map[string]bool{}
		for _, rule := range doc.Rules {
			require.NotEmpty(t, rule.Name)
			require.False(t, seen[rule.Name])
			seen[rule.Name] = true
			require.Equal(t, rule.Recovery.Action == "webhook", !rule.Recovery.URL.IsZero() && rule.Recovery.Secret.Reference() != nil)
		}
		doc.References()
	})
}
