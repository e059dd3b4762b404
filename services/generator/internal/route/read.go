package route

import (
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// Read reads the sections providers and models of a file:
//
//	providers:
//	  openai: {keys: [secret:openai_api_key, {key: secret:openai_spare_key, weight: 3}]}
//	  house:  {protocol: openai, base_url: "http://llm.house:8000/v1", models: [mixtral]}
//	models:
//	  fast:
//	    - [openai/gpt-4o-mini x3, house/mixtral x1]
//	    - ollama/llama3
//	  careful: {targets: [openai/gpt-4o], cache: true, first_token: 2m}
//
// Either node may be nil. known are the providers that settings give: one that is not in the file is taken as it is, one that is
// takes from it what it does not say itself. What is not understood goes to r, with its line; then there is no table.
func Read(r *section.Reader, entries, models *yaml.Node, known []providers.Provider) *Table {
	b := &reader{Reader: r, table: &Table{
		Directory: providers.Read(r, entries, providers.Reading{API: vendors.Chat, Known: known}), routes: make(map[string]*Route),
	}}
	if models != nil {
		for key, value := range r.Pairs(models, "models") {
			b.alias(key, value)
		}
	}
	if r.Err() != nil {
		return nil
	}
	b.table.done()
	return b.table
}

// reader reads names for models into a table.
type reader struct {
	*section.Reader

	table *Table
}
