package document

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSecrets bounds the tokens, and the secrets of webhooks, of a forge.
const maxSecrets = 32

// forges reads the section forges.
func (b *reader) forges(n *yaml.Node) {
	if n != nil {
		lines := make(map[string]int)
		for _, item := range b.items(n, "forges", maxForges) {
			b.forge(item, lines)
		}
	}
	if len(b.kinds) == 0 {
		b.kinds[cmp.Or(b.defaults.Forge, GitHub)] = GitHub
	}
}

// forge reads one entry; lines are those of the names that there are.
func (b *reader) forge(n *yaml.Node, lines map[string]int) {
	var f Forge
	name, kind := n, n
	polls := true
	for key, value := range b.Pairs(n, "a forge") {
		switch key.Value {
		case "name":
			f.Name, name = b.Text(value, "name"), value
		case "kind":
			f.Kind, kind = b.Text(value, "kind"), value
		case "url":
			f.URL = b.baseURL(value)
		case "tokens":
			f.Tokens = b.references(value, "tokens", "a token")
		case "app":
			f.App = b.app(value)
		case "webhook_secrets":
			f.WebhookSecrets = b.references(value, "webhook_secrets", "a secret of webhooks")
		case "polls":
			polls = b.yes(value, "polls") || value.Tag != "!!bool"
		default:
			b.Complain(key, "unknown key %.80q; there are name, kind, url, tokens, app, webhook_secrets and polls", key.Value)
		}
	}
	f.Silent = !polls
	if f.Name == "" {
		f.Name = f.Kind
	}
	if f.Kind == "" && (f.Name == GitHub || f.Name == GitLab) {
		f.Kind = f.Name
	}
	first, twice := lines[f.Name]
	switch {
	case f.Kind != GitHub && f.Kind != GitLab && isEntry(n):
		b.Complain(kind, "the kind of a forge is github or gitlab, not %.80q", f.Kind)
	case !isForgeName(f.Name) && isEntry(n):
		b.Complain(name, "the name of a forge has 1 to %d of a-z 0-9 - and _", maxName)
	case twice:
		b.Complain(name, "there is a forge %s already, in line %d", f.Name, first)
	default:
		b.checkForge(n, f)
	}
	if isForgeName(f.Name) {
		b.kinds[f.Name] = f.Kind // also of one that is not right, so that nothing else is complained about because of it
		lines[f.Name] = name.Line
	}
	b.doc.Forges = append(b.doc.Forges, f)
}

// anyGitHub reports whether one of the forges is a GitHub.
func (b *reader) anyGitHub() bool {
	return slices.Contains(slices.Collect(maps.Values(b.kinds)), GitHub)
}

// checkForge checks what belongs together.
func (b *reader) checkForge(n *yaml.Node, f Forge) {
	switch {
	case f.App != nil && f.Kind != GitHub:
		b.Complain(n, "forge %s: an app is asked with at GitHub only; write tokens", f.Name)
	case f.App != nil && len(f.Tokens) > 0:
		b.Complain(n, "forge %s has tokens and an app; it must be one of them", f.Name)
	case f.Silent && len(f.WebhookSecrets) == 0:
		b.Complain(n, "forge %s is not polled and has no webhook_secrets, so that nothing would be heard of it", f.Name)
	}
}

// isForgeName reports whether a name can stand in keys, paths and before a repository.
func isForgeName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// app reads the installation of a GitHub App.
func (b *reader) app(n *yaml.Node) *App {
	var a App
	said := 0
	for key, value := range b.Pairs(n, "app") {
		said++
		switch key.Value {
		case "id":
			a.ID = b.Whole(value, "id", 1, math.MaxInt64)
		case "installation":
			a.Installation = b.Whole(value, "installation", 1, math.MaxInt64)
		case "private_key":
			a.Key = b.reference(value, "private_key")
		default:
			b.Complain(key, "unknown key %.80q; there are id, installation and private_key", key.Value)
		}
	}
	if said != 3 && isEntry(n) {
		b.Complain(n, "an app has an id, an installation and a private_key")
	}
	return &a
}

// baseURL reads the base of an API. It is not quoted: it may hold a password.
func (b *reader) baseURL(n *yaml.Node) string {
	text := b.Text(n, "url")
	if text == "" {
		return ""
	}
	if err := checkURL(text); err != nil {
		b.Complain(n, "url: %w", err)
	} else if u, err := url.Parse(text); err == nil && u.RawQuery != "" {
		b.Complain(n, "url: the base of an API has no query")
	}
	return text
}

// maxURL bounds an address, in bytes.
const maxURL = 2048

// checkURL checks that text is an address which holds no password. The error does not quote it.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL:
		return errors.New("it is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return errors.New("it must be https://HOST[/PATH], or http://")
	case u.User != nil:
		return errors.New("it must not hold a user or a password")
	case u.Fragment != "":
		return errors.New("it must not have a fragment")
	default:
		return nil
	}
}
