package embedder

import (
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Config is what an operator sets.
type Config struct {
	DefaultModel  string        `name:"default-model" env:"EMBEDDER_DEFAULT_MODEL" default:"local/hash-384" placeholder:"PROVIDER/MODEL" help:"Model of requests that name none."`
	OpenAIKey     secret.Value  `name:"openai-api-key" env:"OPENAI_API_KEY" placeholder:"KEY" help:"API key of OpenAI, or of whoever serves its protocol at openai-base-url. With it there are models openai/*."`
	OpenAIBaseURL string        `name:"openai-base-url" env:"OPENAI_BASE_URL" default:"https://api.openai.com/v1" placeholder:"URL" help:"Where OpenAI's protocol is served: OpenAI, Ollama, vLLM, llama.cpp, text-embeddings-inference… Servers other than OpenAI may need no key."`
	CohereKey     secret.Value  `name:"cohere-api-key" env:"COHERE_API_KEY" placeholder:"KEY" help:"API key of Cohere. With it there are models cohere/*."`
	CohereBaseURL string        `name:"cohere-base-url" env:"COHERE_BASE_URL" default:"https://api.cohere.ai/compatibility/v1" placeholder:"URL" help:"Where Cohere serves OpenAI's protocol."`
	Base64        bool          `name:"openai-base64" env:"OPENAI_BASE64" help:"Ask openai/* for vectors in base64, which is quicker to read. Not every server knows it."`
	Workers       int           `name:"workers" env:"EMBEDDER_WORKERS" default:"32" placeholder:"N" help:"Requests worked on at the same time, interactive and durable ones each, 1 to 1024."`
	Timeout       time.Duration `name:"timeout" env:"EMBEDDER_TIMEOUT" default:"60s" placeholder:"DURATION" help:"How long one request may take in all, up to 1h."`
	MaxAttempts   int           `name:"max-attempts" env:"EMBEDDER_MAX_ATTEMPTS" default:"5" placeholder:"N" help:"How often a durable request is tried before it goes to dead letters, 1 to 1000."`

	Cache cache.Config `embed:"" group:"Cache"`
}

// openAIBaseURL is OpenAI's own address, which takes no request without a key.
const openAIBaseURL = "https://api.openai.com/v1"

// Bounds of settings.
const (
	maxWorkers  = 1024
	maxTimeout  = time.Hour
	maxAttempts = 1000
)

// Validate checks what one setting cannot say alone.
func (c Config) Validate() error {
	var errs []error
	if c.Workers < 1 || c.Workers > maxWorkers {
		errs = append(errs, fmt.Errorf("workers is %d; it must be 1 to %d", c.Workers, maxWorkers))
	}
	if c.Timeout < time.Millisecond || c.Timeout > maxTimeout {
		errs = append(errs, fmt.Errorf("timeout is %s; it must be 1ms to %s", c.Timeout, maxTimeout))
	}
	if c.MaxAttempts < 1 || c.MaxAttempts > maxAttempts {
		errs = append(errs, fmt.Errorf("max-attempts is %d; it must be 1 to %d", c.MaxAttempts, maxAttempts))
	}
	if _, err := openai.CheckBaseURL(c.OpenAIBaseURL); err != nil {
		errs = append(errs, fmt.Errorf("openai-base-url: %w", err))
	}
	if _, err := openai.CheckBaseURL(c.CohereBaseURL); err != nil {
		errs = append(errs, fmt.Errorf("cohere-base-url: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	models, err := c.models(llm.NewHTTPClient())
	if err != nil {
		return err
	}
	if _, _, _, err := models.Resolve(c.DefaultModel); err != nil {
		return fmt.Errorf("default-model: %w", err)
	}
	return nil
}
