package providers

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// Reading is how the section providers is read.
type Reading struct {
	// API is what the providers are asked for.
	API vendors.API
	// Known are the providers that settings give: one that is not in the file is taken as it is, one that is takes from it what it does
	// not say itself.
	Known []Provider
	// Fields are the names of what an entry may say beside what all may, which Field reads, and Check checks; it may be nil.
	Fields []string
	Field  func(provider, field string, value *yaml.Node)
	Check  func(p *Provider) error
}

// fields are the names of what all entries may say.
func fields() []string {
	return []string{"protocol", "base_url", "keys", "headers", "options", "models"}
}

// Read reads the section providers of a file, which may be nil:
//
//	openai: {keys: [secret:openai_api_key, {key: secret:openai_spare_key, weight: 3}]}
//	house:  {protocol: openai, base_url: "http://llm.house:8000/v1", models: [mixtral]}
//
// What is not right goes to r, with its line, and not into the directory.
func Read(r *section.Reader, n *yaml.Node, how Reading) *Directory {
	b := &reader{Reader: r, Reading: how, directory: &Directory{byName: make(map[string]*Provider)}}
	if n != nil {
		for key, value := range r.Pairs(n, "providers") {
			b.entry(key, value)
		}
	}
	for _, p := range how.Known {
		if b.directory.byName[p.Name] != nil || b.directory.Refused(p.Name) {
			continue
		}
		if err := b.directory.add(p, how); err != nil {
			r.Complain(&yaml.Node{}, "%w", err)
		}
	}
	b.directory.done()
	return b.directory
}

// reader reads entries into a directory.
type reader struct {
	*section.Reader
	Reading

	directory *Directory
}

// entry reads one.
func (b *reader) entry(key, n *yaml.Node) {
	v, isKnown := vendors.Lookup(key.Value, b.API)
	p := Provider{Name: key.Value, Protocol: v.Protocol, BaseURL: v.BaseURL}
	if at := slices.IndexFunc(b.Known, func(k Provider) bool { return k.Name == p.Name }); at >= 0 {
		p, isKnown = b.Known[at], true
	}
	said := b.fields(&p, n)
	if !isKnown && !said {
		b.Complain(key, "provider %s has no protocol; write protocol: openai (or another of %s). Without one there are %s",
			key.Value, vendors.Protocols(b.API), vendors.Names(b.API))
		b.directory.refused = append(b.directory.refused, p.Name)
		return
	}
	if err := b.directory.add(p, b.Reading); err != nil {
		b.Complain(key, "%w", err)
		b.directory.refused = append(b.directory.refused, p.Name)
	}
}

// fields reads what an entry says, and reports whether it says its protocol.
func (b *reader) fields(p *Provider, n *yaml.Node) (protocol bool) {
	for field, value := range b.Pairs(n, p.Name) {
		switch field.Value {
		case "protocol":
			p.Protocol, protocol = vendors.Protocol(b.Text(value, "protocol")), true
		case "base_url":
			p.BaseURL = b.Text(value, "base_url")
		case "keys":
			p.Keys = readKeys(b.Reader, value)
		case "headers":
			p.Header = readTexts(b.Reader, value, "headers")
		case "options":
			p.Options = readTexts(b.Reader, value, "options")
		case "models":
			p.Models = nil
			for _, item := range b.Items(value, "models") {
				p.Models = append(p.Models, b.Text(item, "a model"))
			}
		default:
			if slices.Contains(b.Fields, field.Value) {
				b.Field(p.Name, field.Value, value)
				continue
			}
			b.Complain(field, "unknown key %q; there are %s", field.Value, vendors.List(append(fields(), b.Fields...)))
		}
	}
	return protocol
}
