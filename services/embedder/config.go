package embedder

import (
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
)

// Config is what an operator sets.
type Config struct {
	File         string `name:"embedder-config" env:"EMBEDDER_CONFIG" placeholder:"FILE" help:"YAML file with providers, and with models: their spaces, prefixes, and who serves them. It is read when the service starts."`
	DefaultModel string `name:"default-model" env:"EMBEDDER_DEFAULT_MODEL" placeholder:"MODEL" help:"Model of requests that name none, PROVIDER/MODEL or a name from the file. Empty: openai/text-embedding-3-small with an OpenAI key, else local/use-lite-512."`

	OpenAIKey          secret.Value `name:"openai-api-key" env:"OPENAI_API_KEY" placeholder:"KEY" help:"API key of OpenAI, or of whoever serves its protocol at openai-base-url. With it there are models openai/*."`
	OpenAIBaseURL      string       `name:"openai-base-url" env:"OPENAI_BASE_URL" default:"https://api.openai.com/v1" placeholder:"URL" help:"Where OpenAI's protocol is served: OpenAI, vLLM, llama.cpp… Servers other than OpenAI may need no key."`
	OpenAIBase64       bool         `name:"openai-base64" env:"OPENAI_BASE64" help:"Ask openai/* for vectors in base64, which is quicker to read. Not every server knows it."`
	CohereKey          secret.Value `name:"cohere-api-key" env:"COHERE_API_KEY" placeholder:"KEY" help:"API key of Cohere. With it there are models cohere/*."`
	CohereBaseURL      string       `name:"cohere-base-url" env:"COHERE_BASE_URL" default:"https://api.cohere.com/v2" placeholder:"URL" help:"Where Cohere's API, version 2, is served."`
	HuggingFaceKey     secret.Value `name:"huggingface-api-key" env:"HUGGINGFACE_API_KEY" placeholder:"KEY" help:"Access token of Hugging Face. With it there are models huggingface/*."`
	HuggingFaceBaseURL string       `name:"huggingface-base-url" env:"HUGGINGFACE_BASE_URL" default:"https://router.huggingface.co/v1" placeholder:"URL" help:"Where Hugging Face's router is served."`
	OllamaBaseURL      string       `name:"ollama-base-url" env:"OLLAMA_BASE_URL" placeholder:"URL" help:"Where Ollama is served, such as http://localhost:11434. With it there are models ollama/*."`
	TEIBaseURL         string       `name:"tei-base-url" env:"TEI_BASE_URL" placeholder:"URL" help:"Where text-embeddings-inference is served, such as http://localhost:8080. With it there are models tei/*: the server has one, whatever it is called."`

	Workers     int           `name:"workers" env:"EMBEDDER_WORKERS" default:"32" placeholder:"N" help:"Requests worked on at the same time, interactive and durable ones each, 1 to 1024."`
	Timeout     time.Duration `name:"timeout" env:"EMBEDDER_TIMEOUT" default:"60s" placeholder:"DURATION" help:"How long one request may take in all, up to 1h."`
	JobTimeout  time.Duration `name:"job-timeout" env:"EMBEDDER_JOB_TIMEOUT" default:"6h" placeholder:"DURATION" help:"How long one attempt at a durable request may take, up to 24h. What is done of it is kept."`
	MaxAttempts int           `name:"max-attempts" env:"EMBEDDER_MAX_ATTEMPTS" default:"5" placeholder:"N" help:"How often a durable request is tried without any progress before it goes to dead letters, 1 to 1000."`

	Cache cache.Config `embed:"" group:"Cache"`

	read *catalog.Table // what References read
}

// Bounds of settings.
const (
	maxWorkers    = 1024
	maxTimeout    = time.Hour
	maxJobTimeout = 24 * time.Hour
	maxAttempts   = 1000
)

// Validate checks the settings, and the file that they name if it is there: that it can be read is asked where the service runs.
func (c Config) Validate() error {
	errs := []error{c.Cache.Validate()}
	if c.Workers < 1 || c.Workers > maxWorkers {
		errs = append(errs, fmt.Errorf("workers is %d; it must be 1 to %d", c.Workers, maxWorkers))
	}
	if c.Timeout < time.Millisecond || c.Timeout > maxTimeout {
		errs = append(errs, fmt.Errorf("timeout is %s; it must be 1ms to %s", c.Timeout, maxTimeout))
	}
	if c.JobTimeout < time.Second || c.JobTimeout > maxJobTimeout {
		errs = append(errs, fmt.Errorf("job-timeout is %s; it must be 1s to %s", c.JobTimeout, maxJobTimeout))
	}
	if c.MaxAttempts < 1 || c.MaxAttempts > maxAttempts {
		errs = append(errs, fmt.Errorf("max-attempts is %d; it must be 1 to %d", c.MaxAttempts, maxAttempts))
	}
	for name, value := range map[string]string{
		"openai-base-url": c.OpenAIBaseURL, "cohere-base-url": c.CohereBaseURL, "huggingface-base-url": c.HuggingFaceBaseURL,
		"ollama-base-url": c.OllamaBaseURL, "tei-base-url": c.TEIBaseURL,
	} {
		if value == "" && (name == "ollama-base-url" || name == "tei-base-url") {
			continue
		}
		if _, err := wire.CheckBaseURL(value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	errs = append(errs, providers.CheckSettings(c.providers())...)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	table, err := c.catalog()
	if errors.Is(err, section.ErrUnreadable) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := table.Resolve(table.Default()); err != nil {
		return fmt.Errorf("default-model: %w", err)
	}
	return nil
}

// References implements [config.Referrer]: it reads the file. What the service does later, it does with what was read here.
func (c *Config) References() ([]config.Reference, error) {
	table, err := c.catalog()
	if err != nil {
		return nil, err
	}
	c.read = table
	return config.BindVariables(providers.Others(table.References(), c.providers()))
}

// providers are those that the settings give.
func (c Config) providers() []providers.Provider {
	all := []providers.Provider{{Name: local.Provider, Protocol: vendors.Local, Models: []string{local.HashModel, uselite.Name}}}
	if !c.OpenAIKey.IsZero() || c.OpenAIBaseURL != vendors.OpenAIBaseURL {
		all = append(all, providers.Setting("openai", vendors.OpenAI, c.OpenAIBaseURL, c.OpenAIKey))
	}
	if !c.CohereKey.IsZero() {
		all = append(all, providers.Setting("cohere", vendors.Cohere, c.CohereBaseURL, c.CohereKey))
	}
	if !c.HuggingFaceKey.IsZero() {
		all = append(all, providers.Setting("huggingface", vendors.HuggingFace, c.HuggingFaceBaseURL, c.HuggingFaceKey))
	}
	if c.OllamaBaseURL != "" {
		all = append(all, providers.Setting("ollama", vendors.Ollama, c.OllamaBaseURL, secret.Value{}))
	}
	if c.TEIBaseURL != "" {
		all = append(all, providers.Setting("tei", vendors.TEI, c.TEIBaseURL, secret.Value{}))
	}
	return all
}
