package document

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// isEntry reports whether n is a mapping, or nothing in the place of one: the reader has not complained about it as such.
func isEntry(n *yaml.Node) bool { return n.Kind == yaml.MappingNode || n.Tag == "!!null" }

// yes reads true or false.
func (b *reader) yes(n *yaml.Node, what string) bool {
	yes, err := strconv.ParseBool(n.Value)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || err != nil {
		b.Complain(n, "%s is true or false", what)
	}
	return yes
}

// word reads one of some words.
func (b *reader) word(n *yaml.Node, what string, words []string) string {
	text := b.Text(n, what)
	if text != "" && !slices.Contains(words, text) {
		last := len(words) - 1
		b.Complain(n, "unknown %s %.80q; there are %s and %s", what, text, strings.Join(words[:last], ", "), words[last])
	}
	return text
}

// items reads a list of at most so many.
func (b *reader) items(n *yaml.Node, what string, most int) []*yaml.Node {
	items := b.Items(n, what)
	if len(items) > most {
		b.Complain(n, "%s has %d entries; at most %d are allowed", what, len(items), most)
		return nil
	}
	return items
}

// patterns reads a list of patterns; each is a name of something.
func (b *reader) patterns(n *yaml.Node, what, name string) []policy.Pattern {
	var patterns []policy.Pattern
	for _, item := range b.items(n, what, maxPatterns) {
		text := b.Text(item, name)
		if text == "" {
			continue
		}
		pattern, err := policy.NewPattern(text)
		if err != nil {
			b.Complain(item, "%s: %w", what, err)
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// reference reads a reference to a secret. What is none is not quoted: it may be the secret.
func (b *reader) reference(n *yaml.Node, what string) secret.Value {
	text := b.Text(n, what)
	if text == "" {
		return secret.Value{}
	}
	if !secret.IsReference(text) {
		b.Complain(n, "%s is a reference, such as secret:github_token, env:GITHUB_TOKEN or file:/run/secrets/github; the secret itself does not belong here", what)
		return secret.Value{}
	}
	ref, err := secret.NewReference(text)
	if err != nil {
		b.Complain(n, "%s: %w", what, err)
		return secret.Value{}
	}
	return secret.Live(ref)
}

// references reads a list of them.
func (b *reader) references(n *yaml.Node, what, name string) []secret.Value {
	var values []secret.Value
	seen := make(map[string]bool)
	for _, item := range b.items(n, what, maxSecrets) {
		value := b.reference(item, name)
		ref := value.Reference()
		switch {
		case ref == nil: // it was complained about
		case seen[ref.String()]:
			b.Complain(item, "%s is there twice", ref)
		default:
			seen[ref.String()] = true
			values = append(values, value)
		}
	}
	return values
}

// printable reports whether text is one line that shows what it is.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// References returns all secrets that the document refers to.
func (d Document) References() []config.Reference {
	var refs []config.Reference
	add := func(value secret.Value, format string, args ...any) {
		if ref := value.Reference(); ref != nil {
			refs = append(refs, config.Reference{Setting: fmt.Sprintf(format, args...), Secret: ref})
		}
	}
	for _, f := range d.Forges {
		for i, token := range f.Tokens {
			add(token, "forges.%s.tokens[%d]", f.Name, i)
		}
		if f.App != nil {
			add(f.App.Key, "forges.%s.app.private_key", f.Name)
		}
		for i, value := range f.WebhookSecrets {
			add(value, "forges.%s.webhook_secrets[%d]", f.Name, i)
		}
	}
	for i, rule := range d.Rules {
		add(rule.Recovery.URL, "rules[%d].recovery.url", i)
		add(rule.Recovery.Secret, "rules[%d].recovery.secret", i)
	}
	return refs
}
