package document

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// recovery reads what is done about a branch that is degraded.
func (b *reader) recovery(n *yaml.Node, c *policy.Recovery) {
	said := map[string]*yaml.Node{}
	for key, value := range b.Pairs(n, "recovery") {
		said[key.Value] = key
		switch key.Value {
		case "action":
			c.Action = b.word(value, "action", policy.Actions())
		case "dry_run":
			c.DryRun = b.yes(value, "dry_run")
		case "cooldown":
			c.Cooldown = b.Duration(value, "cooldown", 0, maxCooldown)
		case "attempts_per_commit":
			c.AttemptsPerCommit = int(b.Whole(value, "attempts_per_commit", 0, maxAttempts))
		case "attempts_per_hour":
			c.AttemptsPerHour = int(b.Whole(value, "attempts_per_hour", 0, maxAttempts))
		case "branches":
			c.Branches = b.patterns(value, "branches", "a branch")
		case "events":
			c.Events = b.patterns(value, "events", "an event")
		case "never_when_step":
			c.NeverWhenStep = b.expressions(value, "never_when_step")
		case "workflow":
			c.Workflow = b.workflow(value)
		case "inputs":
			c.Inputs = b.inputs(value)
		case "url":
			c.URL = b.address(value)
		case "secret":
			c.Secret = b.reference(value, "secret")
		default:
			b.Complain(key, "unknown key %.80q; there are action, dry_run, cooldown, attempts_per_commit, attempts_per_hour, branches, events, "+
				"never_when_step, workflow, inputs, url and secret", key.Value)
		}
	}
	if said["dry_run"] == nil {
		c.DryRun = c.Action != policy.None && c.Action != policy.Publish
	}
	b.belongs(n, c.Action, said)
}

// belongs checks that what an action needs is said, and no more.
func (b *reader) belongs(n *yaml.Node, action string, said map[string]*yaml.Node) {
	for _, key := range []struct {
		name, action string
		needed       bool
	}{
		{"workflow", policy.WorkflowDispatch, b.anyGitHub()}, // GitLab starts a pipeline, which has no name
		{"inputs", policy.WorkflowDispatch, false},
		{"url", policy.Webhook, true},
		{"secret", policy.Webhook, true},
	} {
		switch at := said[key.name]; {
		case at != nil && action != key.action:
			b.Complain(at, "%s belongs to the action %s; here it is %.80s", key.name, key.action, action)
		case at == nil && action == key.action && key.needed:
			b.Complain(n, "the action %s needs %s", action, key.name)
		}
	}
}

// maxWorkflow bounds the name of a workflow's file, in bytes.
const maxWorkflow = 255

// workflow reads what is dispatched: the name of a file, or an id.
func (b *reader) workflow(n *yaml.Node) string {
	text := b.Text(n, "workflow")
	if len(text) > maxWorkflow || strings.Trim(text, ".") == "" && text != "" || strings.ContainsAny(text, `/\*`) || !printable(text) {
		b.Complain(n, "workflow is the name of a file, such as recover.yml, or an id")
	}
	return text
}

// Bounds of the inputs of a workflow: those of GitHub.
const (
	maxInputs     = 25
	maxInputBytes = 65_535
)

// inputs reads the inputs of a workflow: texts, which may be empty.
func (b *reader) inputs(n *yaml.Node) map[string]string {
	inputs := make(map[string]string)
	size := 0
	for key, value := range b.Pairs(n, "inputs") {
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" || value.Tag == "!!binary" || key.Value == "" {
			b.Complain(value, "an input is a name and a text")
			continue
		}
		inputs[key.Value] = value.Value
		size += len(key.Value) + len(value.Value)
	}
	if len(inputs) > maxInputs || size > maxInputBytes {
		b.Complain(n, "a workflow has at most %d inputs, of %d bytes in all; these are %d, of %d", maxInputs, maxInputBytes, len(inputs), size)
	}
	return inputs
}

// address reads where a webhook is posted. It is not quoted: who knows it may be all that is needed to post there.
func (b *reader) address(n *yaml.Node) secret.Value {
	text := b.Text(n, "url")
	if text == "" {
		return secret.Value{}
	}
	if secret.IsReference(text) {
		return b.reference(n, "url")
	}
	if err := checkURL(text); err != nil {
		b.Complain(n, "url: %w; one that is a secret can be referred to, as in secret:recovery_url", err)
		return secret.Value{}
	}
	return secret.NewValue(text)
}
