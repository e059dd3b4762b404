package embedder

import (
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
)

// source is an embedder with what the cache has to know about it.
type source struct {
	llm.Embedder

	// address tells two servers of one name apart; it is empty for models that are quicker than a cache.
	address string
}

// cohereBatch is how many texts Cohere takes in one request.
const cohereBatch = 96

// models makes the adapters of the providers that are configured.
func (c Config) models(client *http.Client) (*llm.Providers[source], error) {
	models := &llm.Providers[source]{}
	models.Add(local.Provider, source{Embedder: local.Hash{}}, local.HashModel)
	models.Add(local.Provider, source{Embedder: &uselite.Model{}, address: uselite.Name}, uselite.Name)
	add := func(cfg openai.Config) error {
		cfg.HTTP, cfg.Attempts = client, llm.DefaultAttempts()
		adapter, err := openai.New(cfg)
		if err != nil {
			return err
		}
		models.Add(cfg.Provider, source{Embedder: adapter, address: cfg.BaseURL})
		return nil
	}
	if !c.OpenAIKey.IsZero() || c.OpenAIBaseURL != openAIBaseURL {
		if err := add(openai.Config{Provider: "openai", BaseURL: c.OpenAIBaseURL, Key: c.OpenAIKey, Base64: c.Base64}); err != nil {
			return nil, err
		}
	}
	if !c.CohereKey.IsZero() {
		if err := add(openai.Config{Provider: "cohere", BaseURL: c.CohereBaseURL, Key: c.CohereKey, MaxBatch: cohereBatch}); err != nil {
			return nil, err
		}
	}
	return models, nil
}
