package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of a file.
const (
	// MaxFile is the largest file, in bytes.
	MaxFile  = 32 << 20
	maxChain = 16 // places at which one secret is looked for
	minTTL   = time.Second
	maxTime  = 30 * 24 * time.Hour
)

// Parse reads rules from the text of a file, of which file is the name in errors:
//
//	secrets:
//	  openai_api_key: [vault:mlsdm/openai#api_key, env:OPENAI_API_KEY]
//	  db_password: {from: ["vault:/database/creds/app#password"], ttl: 1m, max_stale: 0s}
//	policy:
//	  embedder: [openai_api_key, cohere_*]
//	  admin: {get: ["*"], refresh: ["*"]}
//
// A caller who has a list may get and list what its patterns match; list is get where it is not said. Each * in a pattern stands
// for any text. Patterns of names match no references: those begin with a store, as vault:mlsdm/* does. What is not understood is
// an error, which names the line.
func Parse(file string, text []byte) (*Rules, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", file, MaxFile)
	}
	p := &parser{Reader: section.New(file), builder: newBuilder()}
	top, err := p.Document(text)
	if err != nil {
		return nil, err
	}
	if top != nil {
		p.top(top)
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return p.builder.done(), nil
}

// parser reads one file.
type parser struct {
	*section.Reader

	builder *builder
}

func (p *parser) top(n *yaml.Node) {
	for key, value := range p.Pairs(n, "the file") {
		switch key.Value {
		case "secrets":
			for name, secret := range p.Pairs(value, "secrets") {
				p.secret(name, secret)
			}
		case "policy":
			for caller, rights := range p.Pairs(value, "policy") {
				p.caller(caller, rights)
			}
		default:
			p.Complain(key, "unknown key %q; there are secrets and policy", key.Value)
		}
	}
}

// secret reads one entry of secrets.
func (p *parser) secret(key, n *yaml.Node) {
	name, err := secret.ParseName(key.Value)
	if err != nil {
		p.Complain(key, "%w", err)
		return
	}
	from := n
	var s Secret
	if n.Kind == yaml.MappingNode {
		from = nil
		for key, value := range p.Pairs(n, key.Value) {
			switch key.Value {
			case "from":
				from = value
			case "ttl":
				s.TTL = p.Duration(value, key.Value, minTTL, maxTime)
			case "max_stale":
				if s.MaxStale = p.Duration(value, key.Value, 0, maxTime); s.MaxStale == 0 {
					s.MaxStale = -1
				}
			default:
				p.Complain(key, "unknown key %q; there are from, ttl and max_stale", key.Value)
			}
		}
	}
	for _, text := range p.list(key, from, name.String()) {
		ref, err := secret.ParseRef(text.Value)
		switch {
		case err != nil:
			p.Complain(text, "%s: %w", name, err)
		case slices.Contains(s.From, ref):
			p.Complain(text, "%s: %s stands there twice", name, ref)
		default:
			s.From = append(s.From, ref)
		}
	}
	if from != nil && len(s.From) == 0 && from.Kind == yaml.SequenceNode && len(from.Content) == 0 {
		p.Complain(key, "%s has no place where it is kept; write at least one reference", name)
	}
	if len(s.From) > maxChain {
		p.Complain(key, "%s is kept at %d places; at most %d are allowed", name, len(s.From), maxChain)
	}
	p.builder.secret(name.String(), s)
}

// caller reads one entry of policy.
func (p *parser) caller(key, n *yaml.Node) {
	switch err := events.CheckToken("the caller", key.Value); {
	case key.Value == events.DefaultCaller:
		p.Complain(key, "%s is who has no name, and gets no secrets", key.Value)
		return
	case err != nil && key.Value != Anyone:
		p.Complain(key, "%w", err)
		return
	}
	has := p.builder.caller(key.Value)
	if n.Kind != yaml.MappingNode {
		p.grant(key, n, has, Get, List)
		return
	}
	var listed, got *yaml.Node
	for right, patterns := range p.Pairs(n, key.Value) {
		switch right.Value {
		case "get":
			got = patterns
			p.grant(right, patterns, has, Get)
		case "list":
			listed = patterns
			p.grant(right, patterns, has, List)
		case "refresh":
			p.grant(right, patterns, has, Refresh)
		default:
			p.Complain(right, "unknown key %q; there are get, list and refresh", right.Value)
		}
	}
	if listed == nil && got != nil && p.Err() == nil {
		p.grant(key, got, has, List)
	}
}

// grant gives rights to what the patterns of a list match.
func (p *parser) grant(key, n *yaml.Node, to *rights, give ...Right) {
	for _, text := range p.list(key, n, key.Value) {
		literal := strings.ReplaceAll(text.Value, "*", "x")
		var err error
		if secret.IsRef(literal) {
			_, err = secret.ParseRef(literal)
		} else {
			_, err = secret.ParseName(literal)
		}
		if err != nil {
			p.Complain(text, "a pattern is a name or a reference in which * may stand for any text: %w", err)
			continue
		}
		for _, right := range give {
			p.builder.grant(to, right, text.Value)
		}
	}
}

// list returns the texts of a list.
func (p *parser) list(key, n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		p.Complain(key, "%s has no place where it is kept; write from: [REFERENCE, …]", what)
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		p.Complain(n, "%s is a list, as in [one, another]", what)
		return nil
	}
	var texts []*yaml.Node
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" || item.Anchor != "" {
			p.Complain(item, "%s is a list of texts", what)
			continue
		}
		texts = append(texts, item)
	}
	return texts
}
