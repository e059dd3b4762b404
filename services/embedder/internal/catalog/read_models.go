package catalog

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// said is one entry of models, and where it says what.
type said struct {
	Model

	at    *yaml.Node
	other *yaml.Node // other_space
}

// models reads the section models: first what is said of single models of providers, which names for them take over.
func (b *reader) models(n *yaml.Node) {
	type pair struct{ key, value *yaml.Node }
	var names []pair
	count := 0
	for key, value := range b.Pairs(n, "models") {
		if count++; count > maxModels {
			b.Complain(key, "there are more than %d models", maxModels)
			return
		}
		if strings.Contains(key.Value, "/") {
			b.single(key, value)
		} else {
			names = append(names, pair{key, value})
		}
	}
	for _, p := range names {
		b.name(p.key, p.value)
	}
}

// single reads what is said of one model of a provider.
func (b *reader) single(key, n *yaml.Node) {
	target, ok := b.target(key, key.Value)
	if !ok {
		return
	}
	m := &said{at: key}
	if p := b.table.Get(target.Provider); p != nil {
		m.Model = plain(p.Protocol, target)
	}
	b.fields(n, m, false)
	b.add(m)
}

// name reads a name of the operator's for one model, which one or several providers serve.
func (b *reader) name(key, n *yaml.Node) {
	if err := providers.CheckAlias(key.Value); err != nil {
		b.Complain(key, "%w", err)
		return
	}
	list := n
	if n.Kind == yaml.MappingNode {
		list = nil
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "targets" {
				list = n.Content[i+1]
			}
		}
	}
	targets, ok := b.targets(key, list)
	if !ok {
		return
	}
	m := &said{at: key}
	if first := b.said[targets[0].String()]; first != nil {
		m.Model, m.other = first.Model, first.other
	} else if p := b.table.Get(targets[0].Provider); p != nil {
		m.Model = plain(p.Protocol, targets[0])
	}
	m.Name, m.Targets = key.Value, targets
	named := false
	if n.Kind == yaml.MappingNode {
		named = b.fields(n, m, true)
	}
	if len(targets) > 1 && !named {
		b.Complain(key, "%s has several targets, whose vectors can be compared only if they serve the same model; say which, as in space: BAAI/bge-m3", key.Value)
		return
	}
	b.add(m)
}

// add adds an entry that is right, unless it leads to a provider that was complained about already.
func (b *reader) add(m *said) {
	if slices.ContainsFunc(m.Targets, func(t Target) bool { return b.table.Refused(t.Provider) }) || m.Name == "" {
		return
	}
	b.said[m.Name] = m
	b.order = append(b.order, m)
}

// targets reads a list of targets, or a single one.
func (b *reader) targets(key, n *yaml.Node) (targets []Target, ok bool) {
	if n == nil || n.Tag == "!!null" || n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		b.Complain(key, "%s has no targets; write targets: [provider/model, …]", key.Value)
		return nil, false
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = b.Items(n, key.Value)
	}
	ok = true
	for _, item := range items {
		target, right := b.target(item, b.Text(item, "a target"))
		if right && slices.Contains(targets, target) {
			b.Complain(item, "%s is there twice", target)
			right = false
		}
		targets, ok = append(targets, target), ok && right
	}
	if len(targets) > MaxTargets {
		b.Complain(key, "%s has %d targets; there must be 1 to %d", key.Value, len(targets), MaxTargets)
		return nil, false
	}
	return targets, ok && len(targets) > 0
}

// target reads "provider/model".
func (b *reader) target(n *yaml.Node, name string) (target Target, ok bool) {
	provider, model, ok := b.table.Target(b.Reader, n, name)
	return Target{Provider: provider, Model: model}, ok
}

// fields reads what is said of a model, and reports whether its space is.
func (b *reader) fields(n *yaml.Node, m *said, targets bool) (named bool) {
	for field, value := range b.Pairs(n, m.Name) {
		switch field.Value {
		case "space":
			m.Space, named = b.space(value), true
		case "revision":
			m.Revision = b.revision(value)
		case "output_type":
			m.Output = b.output(value, m)
		case "dimensions":
			if own := int(b.Whole(value, "dimensions", 1, spaces.MaxDimensions)); own != m.Dimensions {
				m.Dimensions, m.Sizes = own, nil
			}
		case "matryoshka":
			b.matryoshka(value, m)
		case "normalize":
			m.Normalize = b.yes(value, "normalize")
		case "prefixes":
			m.Prefixes = b.prefixes(value)
		case "pooling":
			m.Pooling = b.pooling(value)
		case "max_items":
			m.Limits.Items = int(b.Whole(value, "max_items", 1, maxItems))
		case "max_tokens":
			m.Limits.Tokens = int(b.Whole(value, "max_tokens", 1, maxTokens))
		case "max_text_tokens":
			m.Limits.ItemTokens = int(b.Whole(value, "max_text_tokens", 1, maxTokens))
		case "other_space":
			m.Other, m.other = b.Text(value, "other_space"), value
		default:
			if field.Value == "targets" {
				if !targets {
					b.Complain(field, "%s is one model of one provider; targets belong to a name without a slash", m.Name)
				}
				continue
			}
			b.Complain(field, "unknown key %q; there are targets, space, revision, output_type, dimensions, matryoshka, normalize, prefixes, pooling, "+
				"max_items, max_tokens, max_text_tokens and other_space", field.Value)
		}
	}
	for _, size := range m.Sizes {
		if m.Dimensions > 0 && size > m.Dimensions {
			b.Complain(m.at, "%s cannot be cut to %d: its vectors have %d", m.Name, size, m.Dimensions)
		}
	}
	return named
}

// space reads the identity of a model.
func (b *reader) space(n *yaml.Node) string {
	text := b.Text(n, "space")
	if text != "" && (!providers.IsModel(text) || strings.Contains(text, "@")) {
		b.Complain(n, "space is the name of a model, 1 to %d bytes without white space and @; what is behind an @ is its revision", providers.MaxModel)
	}
	return text
}

// revision reads a revision, which stands in ids of spaces.
func (b *reader) revision(n *yaml.Node) string {
	text := b.Text(n, "revision")
	if len(text) > maxRevision || strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) {
		b.Complain(n, "revision has 1 to %d letters, digits, -, _ and .", maxRevision)
	}
	return text
}

// output reads of what the numbers of vectors are.
func (b *reader) output(n *yaml.Node, m *said) llm.OutputType {
	kind := llm.OutputType(b.Text(n, "output_type"))
	switch {
	case kind == "float":
		return llm.OutputFloat
	case !slices.Contains(llm.OutputTypes(), kind):
		b.Complain(n, "unknown output_type %q; there are float, int8, uint8, binary and ubinary", string(kind))
		return llm.OutputFloat
	}
	for _, target := range m.Targets {
		if p := b.table.Get(target.Provider); p != nil && p.Protocol != vendors.Cohere {
			b.Complain(n, "output_type: %s cannot be asked for: the protocol %s has no types of output; cohere has", target, p.Protocol)
		}
	}
	return kind
}

// matryoshka reads true, false, or the lengths to which vectors can be cut.
func (b *reader) matryoshka(n *yaml.Node, m *said) {
	m.Sizes = nil
	if n.Kind != yaml.SequenceNode {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			b.Complain(n, "matryoshka is true, false, or a list of lengths, as in [256, 512]")
		}
		m.Matryoshka = n.Value == "true"
		return
	}
	for _, item := range b.Items(n, "matryoshka") {
		m.Sizes = append(m.Sizes, int(b.Whole(item, "a length", 1, spaces.MaxDimensions)))
	}
	slices.Sort(m.Sizes)
	m.Sizes, m.Matryoshka = slices.Compact(m.Sizes), len(m.Sizes) > 0
}

// prefixes reads what is put before texts, by input type.
func (b *reader) prefixes(n *yaml.Node) map[string]string {
	prefixes := make(map[string]string)
	for key, value := range b.Pairs(n, "prefixes") {
		switch key.Value {
		case events.InputQuery, events.InputDocument, events.InputClassification, events.InputClustering:
		default:
			b.Complain(key, "unknown input type %q; there are query, document, classification and clustering", key.Value)
		}
		prefix := b.Text(value, "a prefix")
		if value.Tag == "!!binary" || !utf8.ValidString(prefix) || strings.ContainsRune(prefix, 0) || len(prefix) > maxPrefix {
			b.Complain(value, "a prefix is text in UTF-8 without zero bytes, of at most %d bytes", maxPrefix)
		}
		prefixes[key.Value] = prefix
	}
	if len(prefixes) == 0 {
		return nil
	}
	return prefixes
}

// pooling reads a rule.
func (b *reader) pooling(n *yaml.Node) Pooling {
	rule := Pooling(b.Text(n, "pooling"))
	if rule != PoolingNone && !slices.Contains([]Pooling{PoolingMean, PoolingCLS, PoolingMax, PoolingLast}, rule) {
		b.Complain(n, "unknown pooling %q; there are mean, cls, max and last", string(rule))
	}
	return rule
}
