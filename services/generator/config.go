package generator

import (
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// Config is what an operator sets.
type Config struct {
	File         string `name:"generator-config" env:"GENERATOR_CONFIG" placeholder:"FILE" help:"YAML file with providers, names for several models, limits, prices and the moral filter. It is read when the service starts."`
	DefaultModel string `name:"default-model" env:"GENERATOR_DEFAULT_MODEL" placeholder:"MODEL" help:"Model of requests that name none, PROVIDER/MODEL or a name from the file. Empty: openai/gpt-4o-mini with an OpenAI key, else local/echo."`

	OpenAIKey          secret.Value `name:"openai-api-key" env:"OPENAI_API_KEY" placeholder:"KEY" help:"API key of OpenAI, or of whoever serves its protocol at openai-base-url. With it there are models openai/*."`
	OpenAIBaseURL      string       `name:"openai-base-url" env:"OPENAI_BASE_URL" default:"https://api.openai.com/v1" placeholder:"URL" help:"Where OpenAI's protocol is served: OpenAI, vLLM, llama.cpp… Servers other than OpenAI may need no key."`
	AnthropicKey       secret.Value `name:"anthropic-api-key" env:"ANTHROPIC_API_KEY" placeholder:"KEY" help:"API key of Anthropic. With it there are models anthropic/*."`
	AnthropicBaseURL   string       `name:"anthropic-base-url" env:"ANTHROPIC_BASE_URL" default:"https://api.anthropic.com/v1" placeholder:"URL" help:"Where Anthropic's messages API is served."`
	CohereKey          secret.Value `name:"cohere-api-key" env:"COHERE_API_KEY" placeholder:"KEY" help:"API key of Cohere. With it there are models cohere/*."`
	CohereBaseURL      string       `name:"cohere-base-url" env:"COHERE_BASE_URL" default:"https://api.cohere.com/v2" placeholder:"URL" help:"Where Cohere's API, version 2, is served."`
	HuggingFaceKey     secret.Value `name:"huggingface-api-key" env:"HUGGINGFACE_API_KEY" placeholder:"KEY" help:"Access token of Hugging Face. With it there are models huggingface/*."`
	HuggingFaceBaseURL string       `name:"huggingface-base-url" env:"HUGGINGFACE_BASE_URL" default:"https://router.huggingface.co/v1" placeholder:"URL" help:"Where Hugging Face's router is served."`
	OllamaBaseURL      string       `name:"ollama-base-url" env:"OLLAMA_BASE_URL" placeholder:"URL" help:"Where Ollama is served, such as http://localhost:11434. With it there are models ollama/*."`

	Workers     int           `name:"workers" env:"GENERATOR_WORKERS" default:"32" placeholder:"N" help:"Requests worked on at the same time, interactive and durable ones each, 1 to 4096. It costs memory only while they are there."`
	Timeout     time.Duration `name:"timeout" env:"GENERATOR_TIMEOUT" default:"5m" placeholder:"DURATION" help:"How long one request may take in all, up to 1h."`
	Answer      time.Duration `name:"answer-timeout" env:"GENERATOR_ANSWER_TIMEOUT" default:"2m" placeholder:"DURATION" help:"How long one attempt at an answer in one piece may take, up to 1h."`
	FirstChunk  time.Duration `name:"first-chunk-timeout" env:"GENERATOR_FIRST_CHUNK_TIMEOUT" default:"60s" placeholder:"DURATION" help:"How long a stream may take to begin, up to 1h."`
	Idle        time.Duration `name:"idle-timeout" env:"GENERATOR_IDLE_TIMEOUT" default:"30s" placeholder:"DURATION" help:"How long a stream that has begun may be silent, up to 1h."`
	Retries     int           `name:"retries" env:"GENERATOR_RETRIES" default:"2" placeholder:"N" help:"How often one model is tried again before the next one is, 0 to 20."`
	MaxAttempts int           `name:"max-attempts" env:"GENERATOR_MAX_ATTEMPTS" default:"5" placeholder:"N" help:"How often a durable request is tried before it goes to dead letters, 1 to 1000."`
	Reported    float64       `name:"request-events" env:"GENERATOR_REQUEST_EVENTS" default:"1" placeholder:"SHARE" help:"Share of the requests that end well of which request.processed is published, 0 to 1. Of those that fail, all are."`

	Cache cache.Config `embed:"" group:"Cache"`

	read *document // what File held when References read it
}

// Default models.
const (
	openAIModel = "openai/gpt-4o-mini"
	echoModel   = local.Provider + "/" + local.EchoModel
)

// Bounds of settings.
const (
	maxWorkers  = 4096
	maxTimeout  = time.Hour
	maxAttempts = 1000
	maxRetries  = 20
)

// Validate checks the settings, and the file that they name if it is there: that it can be read is asked where the service runs.
func (c Config) Validate() error {
	errs := []error{
		between("workers", c.Workers, 1, maxWorkers), between("retries", c.Retries, 0, maxRetries),
		between("max-attempts", c.MaxAttempts, 1, maxAttempts), c.Cache.Validate(),
	}
	if c.Reported < 0 || c.Reported > 1 || c.Reported != c.Reported {
		errs = append(errs, fmt.Errorf("request-events is %v; it must be 0 to 1", c.Reported))
	}
	for _, s := range []struct {
		name  string
		value time.Duration
	}{{"timeout", c.Timeout}, {"answer-timeout", c.Answer}, {"first-chunk-timeout", c.FirstChunk}, {"idle-timeout", c.Idle}} {
		if s.value < time.Millisecond || s.value > maxTimeout {
			errs = append(errs, fmt.Errorf("%s is %s; it must be 1ms to %s", s.name, s.value, maxTimeout))
		}
	}
	for _, s := range []struct{ name, value string }{
		{"openai-base-url", c.OpenAIBaseURL},
		{"anthropic-base-url", c.AnthropicBaseURL},
		{"cohere-base-url", c.CohereBaseURL},
		{"huggingface-base-url", c.HuggingFaceBaseURL},
		{"ollama-base-url", c.OllamaBaseURL},
	} {
		if s.value == "" && s.name == "ollama-base-url" {
			continue
		}
		if _, err := wire.CheckBaseURL(s.value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	errs = append(errs, providers.CheckSettings(c.providers())...)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	doc, err := c.document()
	if errors.Is(err, section.ErrUnreadable) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = doc.table.Resolve(c.defaultModel(doc))
	if err != nil {
		return fmt.Errorf("default-model: %w", err)
	}
	return nil
}

// between checks a whole number.
func between(name string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %d; it must be %d to %d", name, value, least, most)
	}
	return nil
}

// References implements [config.Referrer]: it reads the file. What the service does later, it does with what was read here.
func (c *Config) References() ([]config.Reference, error) {
	doc, err := c.document()
	if err != nil {
		return nil, err
	}
	c.read = doc
	return doc.references(c.providers())
}

// defaultModel is the model of requests that name none.
func (c Config) defaultModel(doc *document) string {
	switch {
	case c.DefaultModel != "":
		return c.DefaultModel
	case doc.defaultModel != "":
		return doc.defaultModel
	case !c.OpenAIKey.IsZero():
		return openAIModel
	default:
		return echoModel
	}
}

// providers are those that the settings give.
func (c Config) providers() []providers.Provider {
	all := []providers.Provider{{Name: local.Provider, Protocol: vendors.Local, Models: []string{local.EchoModel}}}
	if !c.OpenAIKey.IsZero() || c.OpenAIBaseURL != vendors.OpenAIBaseURL {
		all = append(all, providers.Setting("openai", vendors.OpenAI, c.OpenAIBaseURL, c.OpenAIKey))
	}
	if !c.AnthropicKey.IsZero() {
		all = append(all, providers.Setting("anthropic", vendors.Anthropic, c.AnthropicBaseURL, c.AnthropicKey))
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
	return all
}
