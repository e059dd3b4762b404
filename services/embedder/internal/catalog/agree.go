package catalog

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// done puts the models into the table, checks that they go together, and finds the default.
func (b *reader) done(inFile *yaml.Node, inSettings string) {
	t := b.table
	for _, m := range b.order {
		m.Revision = quantised(m.Revision, m.Output)
		t.models[m.Name] = &m.Model
		if !strings.Contains(m.Name, "/") {
			t.aliases = append(t.aliases, m.Name)
		}
	}
	slices.Sort(t.aliases)
	b.agree()
	for _, p := range t.providers {
		for _, model := range p.Models {
			if target := (Target{Provider: p.Name, Model: model}); t.models[target.String()] == nil {
				m := plain(p.Protocol, target)
				t.models[m.Name] = &m
			}
		}
	}
	for _, m := range b.order {
		if m.other != nil {
			b.checkOther(m)
		}
	}
	t.defaultModel = localModel
	if p := t.Get("openai"); p != nil && len(p.Keys) > 0 {
		t.defaultModel = openAIModel
	}
	if inFile != nil {
		if name := b.Text(inFile, "default_model"); name != "" {
			t.defaultModel = name
			if _, err := t.Resolve(name); err != nil && !b.table.AnyRefused() {
				b.Complain(inFile, "default_model: %s", events.AsError(err).Message)
			}
		}
	}
	if inSettings != "" {
		t.defaultModel = inSettings
	}
}

// agree checks that each target lies in one space, and that what is said of one space can be true at the same time. Who asks for a
// target of a name without saying the name gets the same vectors.
func (b *reader) agree() {
	type identity struct{ space, revision string }
	bySpace := make(map[identity]*said)
	byTarget := make(map[Target]*said)
	for _, m := range b.order {
		for _, target := range m.Targets {
			first := byTarget[target]
			switch {
			case first == nil:
				byTarget[target] = m
				b.alone(m, target)
			case !first.same(&m.Model):
				b.Complain(m.at, "the vectors of %s lie in one space: %s by %s in line %d, %s by %s; say the same space and revision in both",
					target, spaces.Name(first.Space, first.Revision), first.Name, first.at.Line, spaces.Name(m.Space, m.Revision), m.Name)
			}
		}
		id := identity{m.Space, m.Revision}
		first := bySpace[id]
		if first == nil {
			bySpace[id] = m
			continue
		}
		if what := first.contradicts(&m.Model); what != "" {
			b.Complain(m.at, "%s and %s, in line %d, say that they are the same model (%s), and not the same of its %s",
				m.Name, first.Name, first.at.Line, spaces.Name(m.Space, m.Revision), what)
		}
	}
}

// alone has a target of a name be asked for by its own name, too.
func (b *reader) alone(m *said, target Target) {
	if b.table.models[target.String()] != nil {
		return
	}
	own := m.Model
	own.Name, own.Targets = target.String(), []Target{target}
	b.table.models[own.Name] = &own
}

// quantised is the revision of vectors of a type of output.
func quantised(revision string, output llm.OutputType) string {
	if output == llm.OutputFloat || revision == "" {
		return revision + string(output)
	}
	return revision + "-" + string(output)
}

// contradicts names what two models of one space say differently, of what changes vectors.
func (m *Model) contradicts(other *Model) string {
	switch {
	case m.Dimensions != other.Dimensions && m.Dimensions != 0 && other.Dimensions != 0:
		return "dimensions"
	case m.Output != other.Output:
		return "output_type"
	case !maps.Equal(m.Prefixes, other.Prefixes):
		return "prefixes"
	case m.Pooling != other.Pooling:
		return "pooling"
	default:
		return ""
	}
}

// checkOther checks that other_space leads to another space, and not back.
func (b *reader) checkOther(m *said) {
	path := []string{m.Name}
	var seen []*Model
	for at := &m.Model; at.Other != ""; {
		next, err := b.table.Resolve(at.Other)
		switch {
		case err != nil:
			if at == &m.Model && !b.table.AnyRefused() {
				b.Complain(m.other, "other_space: %s", events.AsError(err).Message)
			}
			return
		case at == &m.Model && next.same(at):
			b.Complain(m.other, "other_space: %s lies in the same space; make it a target", at.Other)
			return
		case next.same(&m.Model):
			b.Complain(m.other, "other_space leads in a circle: %s", strings.Join(append(path, next.Name), ", "))
			return
		case slices.ContainsFunc(seen, next.same): // it is told where the circle is
			return
		}
		path, seen, at = append(path, next.Name), append(seen, next), next
	}
}

// same reports whether vectors of two models can be compared.
func (m *Model) same(other *Model) bool {
	return m.Space == other.Space && m.Revision == other.Revision
}
