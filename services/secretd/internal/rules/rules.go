// Package rules says where secrets are kept and who may have them.
//
// They come from a file of the operator's ([Parse]), or from a few settings ([Simple]). What no rule allows is denied.
package rules

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Anyone stands in the place of a caller for everyone who has a name.
const Anyone = "*"

// Right is what a caller may do with a secret.
type Right int

// The rights.
const (
	Get     Right = iota // have its value
	List                 // see that there is one, and how it does
	Refresh              // have its stores asked now, for everybody
)

// Secret is a secret that the operator has named.
type Secret struct {
	// From is where it is looked for, in this order.
	From []secret.Ref
	// TTL is how long a value is fresh; zero is the default.
	TTL time.Duration
	// MaxStale is how old a value may become while its store cannot be asked; zero is the default, below zero is not at all.
	MaxStale time.Duration
}

// Rules are where secrets are kept and who may have them. They are not changed once they are made.
type Rules struct {
	secrets map[string]Secret
	names   []string // of secrets, in order
	named   map[secret.Ref][]string
	callers map[string]*rights
	stores  []string // all that are referred to
}

// rights are what one caller may do.
type rights [Refresh + 1]patterns

// patterns are what a right reaches to.
type patterns struct {
	exact map[string]struct{}
	globs []string // with a *
}

func (p *patterns) add(pattern string) {
	if strings.Contains(pattern, "*") {
		p.globs = append(p.globs, pattern)
		return
	}
	if p.exact == nil {
		p.exact = make(map[string]struct{})
	}
	p.exact[pattern] = struct{}{}
}

// matches reports whether one of the patterns is about text. A pattern without a store is about names; one that begins with a
// store is about references to it, and a * behind the store does not reach those that begin with a slash.
func (p *patterns) matches(text string) bool {
	if _, ok := p.exact[text]; ok {
		return true
	}
	store, path, isRef := strings.Cut(text, ":")
	for _, pattern := range p.globs {
		of, below, ofRefs := strings.Cut(pattern, ":")
		switch {
		case isRef != ofRefs || isRef && of != store:
		case isRef && strings.HasPrefix(path, "/") && !strings.HasPrefix(below, "/"):
		case isRef && store == secret.StoreEnv && ownVariable(path):
		case section.Match(pattern, text):
			return true
		}
	}
	return false
}

// ownVariable reports whether a variable of the environment may hold a credential of secretd itself. No wildcard reaches these;
// an operator who wants to give one out says its name.
func ownVariable(name string) bool {
	for _, prefix := range []string{"SECRETD_", "MLSDM_", "NATS_", "VAULT_", "AWS_", "AZURE_", "OTEL_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// May reports whether a caller has a right to a secret, by its name or by a reference as [secret.Ref.String] writes it. Who has
// no name of its own has no rights.
func (r *Rules) May(caller string, right Right, what string) bool {
	if caller == events.DefaultCaller {
		return false
	}
	for _, who := range []string{caller, Anyone} {
		if has := r.callers[who]; has != nil && has[right].matches(what) {
			return true
		}
	}
	return false
}

// Secret returns a secret that the operator has named.
func (r *Rules) Secret(name string) (Secret, bool) {
	s, ok := r.secrets[name]
	return s, ok
}

// Len returns how many secrets the operator has named.
func (r *Rules) Len() int { return len(r.names) }

// Callers returns who has any rights, in order.
func (r *Rules) Callers() []string { return slices.Sorted(maps.Keys(r.callers)) }

// After returns up to limit names of secrets behind that of after which the caller may list, in order, and whether there are more.
func (r *Rules) After(caller, after string, limit int) (names []string, more bool) {
	begin, found := slices.BinarySearch(r.names, after)
	if found {
		begin++
	}
	for _, name := range r.names[begin:] {
		if !r.May(caller, List, name) {
			continue
		}
		if len(names) == limit {
			return names, true
		}
		names = append(names, name)
	}
	return names, false
}

// NamesOf returns the names of the secrets that are looked for at ref.
func (r *Rules) NamesOf(ref secret.Ref) []string { return r.named[ref] }

// Stores returns the names of all stores that rules refer to, in order.
func (r *Rules) Stores() []string { return r.stores }

// builder makes rules.
type builder struct {
	rules  *Rules
	stores map[string]struct{}
}

func newBuilder() *builder {
	return &builder{
		rules:  &Rules{secrets: make(map[string]Secret), named: make(map[secret.Ref][]string), callers: make(map[string]*rights)},
		stores: make(map[string]struct{}),
	}
}

func (b *builder) secret(name string, s Secret) {
	b.rules.secrets[name] = s
	for _, ref := range s.From {
		b.rules.named[ref] = append(b.rules.named[ref], name)
		b.stores[ref.Store] = struct{}{}
	}
}

// caller returns the rights of a caller, to be added to.
func (b *builder) caller(name string) *rights {
	has := b.rules.callers[name]
	if has == nil {
		has = new(rights)
		b.rules.callers[name] = has
	}
	return has
}

// grant gives a right to what a pattern matches.
func (b *builder) grant(to *rights, right Right, pattern string) {
	to[right].add(pattern)
	if store, _, ok := strings.Cut(pattern, ":"); ok {
		b.stores[store] = struct{}{}
	}
}

func (b *builder) done() *Rules {
	b.rules.names = slices.Sorted(maps.Keys(b.rules.secrets))
	b.rules.stores = slices.Sorted(maps.Keys(b.stores))
	return b.rules
}

// Simple returns the rules by which each of callers, of whom [Anyone] may be one, may get and list each of names, which are looked
// for where locate says.
func Simple(names []secret.Name, callers []string, locate func(secret.Name) []secret.Ref) *Rules {
	b := newBuilder()
	for _, name := range names {
		b.secret(name.String(), Secret{From: locate(name)})
		for _, caller := range callers {
			has := b.caller(caller)
			b.grant(has, Get, name.String())
			b.grant(has, List, name.String())
		}
	}
	return b.done()
}
