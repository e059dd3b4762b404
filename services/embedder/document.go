package embedder

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
)

// catalog returns what References read, or reads the file: providers and models, and the settings where it says nothing.
func (c Config) catalog() (*catalog.Table, error) {
	if c.read != nil {
		return c.read, nil
	}
	r := section.New(c.File)
	var sections catalog.Sections
	if c.File != "" {
		text, err := section.ReadFile(c.File)
		if err != nil {
			return nil, fmt.Errorf("embedder-config: %w", err)
		}
		root, err := r.Document(text)
		if err != nil {
			return nil, fmt.Errorf("embedder-config: %w", err)
		}
		if root != nil {
			sections = pick(r, root)
		}
	}
	settings := catalog.Settings{Providers: c.providers(), DefaultModel: c.DefaultModel}
	if c.OpenAIBase64 {
		settings.Base64 = "openai"
	}
	table := catalog.Read(r, sections, settings)
	if table != nil && sections.Providers != nil {
		checkAdapters(r, sections.Providers, table)
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("embedder-config: %w", err)
	}
	return table, nil
}

// pick finds the sections of the file.
func pick(r *section.Reader, root *yaml.Node) (sections catalog.Sections) {
	for key, value := range r.Pairs(root, "the file") {
		switch key.Value {
		case "default_model":
			sections.DefaultModel = value
		case "providers":
			sections.Providers = value
		case "models":
			sections.Models = value
		default:
			r.Complain(key, "unknown section %q; there are default_model, providers and models", key.Value)
		}
	}
	return sections
}

// checkAdapters checks what only those know who speak to the providers.
func checkAdapters(r *section.Reader, providers *yaml.Node, table *catalog.Table) {
	by := genai.NewClients(llm.NewHTTPClient(), nil) // which are asked for nothing
	for key := range r.Pairs(providers, "providers") {
		for _, p := range table.Providers() {
			if p.Name != key.Value {
				continue
			}
			for _, pooling := range poolings(table, p) {
				if _, err := adapter(p, pooling, by); err != nil {
					r.Complain(key, "provider %s: %w", p.Name, err)
					break
				}
			}
		}
	}
}
