package generator

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/price"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// document is what the configuration file says, and the settings where it says nothing.
type document struct {
	defaultModel string
	table        *route.Table
	prices       *price.Table
	limits       limits.Config
	moral        moral.Config
}

// document returns what References read, or reads the file.
func (c Config) document() (*document, error) {
	if c.read != nil {
		return c.read, nil
	}
	r := section.New(c.File)
	sections := make(map[string]*yaml.Node)
	if c.File != "" {
		text, err := section.ReadFile(c.File)
		if err != nil {
			return nil, fmt.Errorf("generator-config: %w", err)
		}
		root, err := r.Document(text)
		if err != nil {
			return nil, fmt.Errorf("generator-config: %w", err)
		}
		if root != nil {
			for key, value := range r.Pairs(root, "the file") {
				switch key.Value {
				case "default_model", "providers", "models", "prices", "limits", "moral_filter":
					sections[key.Value] = value
				default:
					r.Complain(key, "unknown section %q; there are default_model, providers, models, prices, limits and moral_filter", key.Value)
				}
			}
		}
	}
	doc := &document{table: route.Read(r, sections["providers"], sections["models"], c.providers())}
	if n := sections["default_model"]; n != nil {
		doc.defaultModel = r.Text(n, "default_model")
	}
	doc.check(r, sections)
	doc.prices = price.Read(r, sections["prices"])
	doc.limits = limits.Read(r, sections["limits"])
	doc.moral = moral.Read(r, sections["moral_filter"], func(name string) (moral.Provider, bool) { return moderator(doc.table, name) })
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("generator-config: %w", err)
	}
	return doc, nil
}

// check checks what only those know who speak to the providers, and that there is a default model. When something is wrong with the
// providers or the names already, that is enough.
func (d *document) check(r *section.Reader, sections map[string]*yaml.Node) {
	if d.table == nil {
		return
	}
	if n := sections["default_model"]; n != nil && d.defaultModel != "" {
		if _, err := d.table.Resolve(d.defaultModel); err != nil {
			r.Complain(n, "default_model: %s", events.AsError(err).Message)
		}
	}
	if sections["providers"] == nil {
		return
	}
	by := genai.NewClients(llm.NewHTTPClient(), nil) // which are asked for nothing
	for key := range r.Pairs(sections["providers"], "providers") {
		if _, err := adapter(*d.table.Get(key.Value), by); err != nil {
			r.Complain(key, "provider %s: %w", key.Value, err)
		}
	}
}

// moderator is a provider whose moderation endpoint the moral filter may ask.
func moderator(t *route.Table, name string) (moral.Provider, bool) {
	if t == nil { // there is something wrong with the providers, and that is told already
		return moral.Provider{}, false
	}
	p := t.Get(name)
	if p == nil {
		return moral.Provider{}, false
	}
	found := moral.Provider{BaseURL: p.BaseURL}
	if len(p.Keys) > 0 {
		found.Key = p.Keys[0].Value
	}
	return found, true
}

// references returns the secrets of the file that somebody else has to see to, but those of settings. Variables are read here: they do
// not change.
func (d *document) references(settings []providers.Provider) ([]config.Reference, error) {
	all := d.table.References()
	if ref := d.moral.Scorer.Key.Reference(); ref != nil {
		all = append(all, config.Reference{Setting: "moral_filter.scorer.key", Secret: ref})
	}
	return config.BindVariables(providers.Others(all, settings))
}
