package generator

import (
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
)

// models makes the adapters of the providers that are configured.
//
// What the compatibility APIs of the others leave out of OpenAI's protocol stands in the vendors' documentation: Cohere
// refuses stream_options; Anthropic ignores response_format and makes one choice only.
func (c Config) models(client *http.Client) (*llm.Providers[llm.Generator], error) {
	models := &llm.Providers[llm.Generator]{}
	models.Add(local.Provider, local.Echo{}, local.EchoModel)

	var servers []openai.Config
	if !c.OpenAIKey.IsZero() || c.OpenAIBaseURL != openAIBaseURL {
		servers = append(servers, openai.Config{Provider: "openai", BaseURL: c.OpenAIBaseURL, Key: c.OpenAIKey})
	}
	if !c.AnthropicKey.IsZero() {
		servers = append(servers, openai.Config{
			Provider: "anthropic", BaseURL: c.AnthropicBaseURL, Key: c.AnthropicKey,
			Refuse: []string{"response_format", "n"},
		})
	}
	if !c.CohereKey.IsZero() {
		servers = append(servers, openai.Config{Provider: "cohere", BaseURL: c.CohereBaseURL, Key: c.CohereKey, NoStreamOptions: true})
	}
	if !c.HuggingFaceKey.IsZero() {
		servers = append(servers, openai.Config{Provider: "huggingface", BaseURL: c.HuggingFaceBaseURL, Key: c.HuggingFaceKey})
	}
	for _, cfg := range servers {
		cfg.HTTP, cfg.Attempts, cfg.FirstChunk, cfg.Idle = client, llm.DefaultAttempts(), c.FirstChunk, c.Idle
		adapter, err := openai.New(cfg)
		if err != nil {
			return nil, err
		}
		models.Add(cfg.Provider, adapter)
	}
	return models, nil
}
