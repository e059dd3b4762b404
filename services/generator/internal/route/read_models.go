package route

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Bounds of the options of an alias.
const (
	minTime    = time.Millisecond
	maxTime    = time.Hour
	maxRetries = 10
)

// alias reads one entry of models.
func (b *reader) alias(key, n *yaml.Node) {
	a := Alias{Name: key.Value}
	targets := n
	if n.Kind == yaml.MappingNode && !isTarget(n) {
		targets = b.options(n, &a)
		if targets == nil {
			b.Complain(key, "%s has no targets; write targets: [provider/model, …]", key.Value)
			return
		}
	}
	whole := true
	if targets.Kind == yaml.SequenceNode {
		for _, item := range b.Items(targets, key.Value) {
			tier, ok := b.tier(item)
			a.Tiers, whole = append(a.Tiers, tier), whole && ok
		}
		if len(targets.Content) == 0 {
			b.Complain(key, "%s has no targets; write [provider/model, …]", key.Value)
			whole = false
		}
	} else {
		tier, ok := b.tier(targets)
		a.Tiers, whole = [][]Target{tier}, ok
	}
	if !whole || b.leadsNowhere(a) {
		return
	}
	if err := b.table.addAlias(a); err != nil {
		b.Complain(key, "%s: %w", key.Value, err)
	}
}

// leadsNowhere reports whether an alias has a target at a provider that was complained about already.
func (b *reader) leadsNowhere(a Alias) bool {
	for _, tier := range a.Tiers {
		for _, target := range tier {
			if b.table.Refused(target.Provider) {
				return true
			}
		}
	}
	return false
}

// options reads the long form of an alias and returns the node of its targets.
func (b *reader) options(n *yaml.Node, a *Alias) (targets *yaml.Node) {
	for field, value := range b.Pairs(n, a.Name) {
		switch field.Value {
		case "targets":
			targets = value
		case "cache":
			a.Options.Cache = b.yes(value)
		case "timeout":
			a.Options.Timeout = b.Duration(value, "timeout", minTime, maxTime)
		case "answer":
			a.Options.Answer = b.Duration(value, "answer", minTime, maxTime)
		case "first_token":
			a.Options.FirstToken = b.Duration(value, "first_token", minTime, maxTime)
		case "idle":
			a.Options.Idle = b.Duration(value, "idle", minTime, maxTime)
		case "retries":
			retries := int(b.Whole(value, "retries", 0, maxRetries))
			a.Options.Retries = &retries
		default:
			b.Complain(field, "unknown key %q; there are targets, cache, timeout, answer, first_token, idle and retries", field.Value)
		}
	}
	return targets
}

// yes reads true or false.
func (b *reader) yes(n *yaml.Node) bool {
	if n.Tag != "!!bool" {
		b.Complain(n, "this is true or false")
	}
	return n.Value == "true"
}

// tier reads targets among which weights decide: a list of them, or a single one.
func (b *reader) tier(n *yaml.Node) (tier []Target, ok bool) {
	if n.Kind != yaml.SequenceNode {
		target, ok := b.target(n)
		return []Target{target}, ok
	}
	ok = true
	for _, item := range b.Items(n, "a tier") {
		target, right := b.target(item)
		tier, ok = append(tier, target), ok && right
	}
	if len(tier) == 0 && ok {
		b.Complain(n, "a tier has at least one target")
		return nil, false
	}
	return tier, ok
}

// isTarget reports whether a mapping is the long form of a target.
func isTarget(n *yaml.Node) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == "target" {
			return true
		}
	}
	return false
}

// target reads "provider/model", "provider/model xN" or {target: provider/model, weight: N}.
func (b *reader) target(n *yaml.Node) (target Target, ok bool) {
	if n.Kind != yaml.MappingNode {
		text := b.Text(n, "a target")
		name, weight, found := cutWeight(text)
		if !found {
			b.Complain(n, "the weight of a target is x1 to x%d, as in %q", MaxWeight, name+" x3")
			return Target{}, false
		}
		return b.named(n, name, weight)
	}
	var name *yaml.Node
	weight := int64(1)
	for field, value := range b.Pairs(n, "a target") {
		switch field.Value {
		case "target":
			name = value
		case "weight":
			weight = b.Whole(value, "weight", 1, MaxWeight)
		default:
			b.Complain(field, "unknown key %q; there are target and weight", field.Value)
		}
	}
	if name == nil {
		b.Complain(n, "a target is provider/model, or {target: provider/model, weight: N}")
		return Target{}, false
	}
	return b.named(name, b.Text(name, "target"), int(weight))
}

// named makes a target of its name.
func (b *reader) named(n *yaml.Node, name string, weight int) (target Target, ok bool) {
	provider, model, ok := b.table.Target(b.Reader, n, name)
	return Target{Provider: provider, Model: model, ID: name, Weight: weight}, ok
}

// cutWeight takes the weight off a target: " x3", or " ×3". Without one it is 1.
func cutWeight(text string) (name string, weight int, ok bool) {
	fields := strings.Fields(text)
	switch len(fields) {
	case 0:
		return "", 1, true
	case 1:
		return fields[0], 1, true
	case 2:
		digits, times := strings.CutPrefix(fields[1], "x")
		if !times {
			digits, times = strings.CutPrefix(fields[1], "×")
		}
		weight, err := strconv.Atoi(digits)
		return fields[0], weight, times && err == nil && weight >= 1 && weight <= MaxWeight
	default:
		return fields[0], 0, false
	}
}
