package generator

import (
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Config is what an operator sets.
type Config struct {
	DefaultModel       string        `name:"default-model" env:"GENERATOR_DEFAULT_MODEL" placeholder:"PROVIDER/MODEL" help:"Model of requests that name none. Empty: openai/gpt-4o-mini with an OpenAI key, else local/echo."`
	OpenAIKey          secret.Value  `name:"openai-api-key" env:"OPENAI_API_KEY" placeholder:"KEY" help:"API key of OpenAI, or of whoever serves its protocol at openai-base-url. With it there are models openai/*."`
	OpenAIBaseURL      string        `name:"openai-base-url" env:"OPENAI_BASE_URL" default:"https://api.openai.com/v1" placeholder:"URL" help:"Where OpenAI's protocol is served: OpenAI, Ollama, vLLM, llama.cpp… Servers other than OpenAI may need no key."`
	AnthropicKey       secret.Value  `name:"anthropic-api-key" env:"ANTHROPIC_API_KEY" placeholder:"KEY" help:"API key of Anthropic. With it there are models anthropic/*."`
	AnthropicBaseURL   string        `name:"anthropic-base-url" env:"ANTHROPIC_BASE_URL" default:"https://api.anthropic.com/v1" placeholder:"URL" help:"Where Anthropic serves OpenAI's protocol."`
	CohereKey          secret.Value  `name:"cohere-api-key" env:"COHERE_API_KEY" placeholder:"KEY" help:"API key of Cohere. With it there are models cohere/*."`
	CohereBaseURL      string        `name:"cohere-base-url" env:"COHERE_BASE_URL" default:"https://api.cohere.ai/compatibility/v1" placeholder:"URL" help:"Where Cohere serves OpenAI's protocol."`
	HuggingFaceKey     secret.Value  `name:"huggingface-api-key" env:"HUGGINGFACE_API_KEY" placeholder:"KEY" help:"Access token of Hugging Face. With it there are models huggingface/*."`
	HuggingFaceBaseURL string        `name:"huggingface-base-url" env:"HUGGINGFACE_BASE_URL" default:"https://router.huggingface.co/v1" placeholder:"URL" help:"Where Hugging Face serves OpenAI's protocol."`
	Workers            int           `name:"workers" env:"GENERATOR_WORKERS" default:"32" placeholder:"N" help:"Requests worked on at the same time, interactive and durable ones each, 1 to 1024."`
	Timeout            time.Duration `name:"timeout" env:"GENERATOR_TIMEOUT" default:"5m" placeholder:"DURATION" help:"How long one request may take in all, up to 1h."`
	FirstChunk         time.Duration `name:"first-chunk-timeout" env:"GENERATOR_FIRST_CHUNK_TIMEOUT" default:"60s" placeholder:"DURATION" help:"How long a stream may take to begin, up to 1h."`
	Idle               time.Duration `name:"idle-timeout" env:"GENERATOR_IDLE_TIMEOUT" default:"30s" placeholder:"DURATION" help:"How long a stream that has begun may be silent, up to 1h."`
	MaxAttempts        int           `name:"max-attempts" env:"GENERATOR_MAX_ATTEMPTS" default:"5" placeholder:"N" help:"How often a durable request is tried before it goes to dead letters, 1 to 1000."`
}

// openAIBaseURL is OpenAI's own address, which takes no request without a key.
const openAIBaseURL = "https://api.openai.com/v1"

// Default models.
const (
	openAIModel = "openai/gpt-4o-mini"
	echoModel   = local.Provider + "/" + local.EchoModel
)

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
	if c.MaxAttempts < 1 || c.MaxAttempts > maxAttempts {
		errs = append(errs, fmt.Errorf("max-attempts is %d; it must be 1 to %d", c.MaxAttempts, maxAttempts))
	}
	for _, s := range []struct {
		name  string
		value time.Duration
	}{{"timeout", c.Timeout}, {"first-chunk-timeout", c.FirstChunk}, {"idle-timeout", c.Idle}} {
		if s.value < time.Millisecond || s.value > maxTimeout {
			errs = append(errs, fmt.Errorf("%s is %s; it must be 1ms to %s", s.name, s.value, maxTimeout))
		}
	}
	for _, s := range []struct{ name, value string }{
		{"openai-base-url", c.OpenAIBaseURL},
		{"anthropic-base-url", c.AnthropicBaseURL},
		{"cohere-base-url", c.CohereBaseURL},
		{"huggingface-base-url", c.HuggingFaceBaseURL},
	} {
		if _, err := openai.CheckBaseURL(s.value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	models, err := c.models(llm.NewHTTPClient())
	if err != nil {
		return err
	}
	if _, _, _, err := models.Resolve(c.defaultModel()); err != nil {
		return fmt.Errorf("default-model: %w", err)
	}
	return nil
}

// defaultModel is the model of requests that name none.
func (c Config) defaultModel() string {
	switch {
	case c.DefaultModel != "":
		return c.DefaultModel
	case !c.OpenAIKey.IsZero():
		return openAIModel
	default:
		return echoModel
	}
}
