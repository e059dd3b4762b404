// Package llm is what embedding and text models have in common, whoever runs them: the interfaces that a provider's
// adapter implements, and the rules that all adapters share for errors, retries and the checking of answers.
//
// Types live here, adapters in the packages below (openai, local). An adapter never sees the provider's name in front
// of a model: "openai/gpt-4o-mini" reaches it as "gpt-4o-mini". Every error that an adapter returns is, or wraps, an
// [events.Error] that names the provider.
package llm

import (
	"context"
)

// Embedder turns texts into vectors.
type Embedder interface {
	// Embed returns one vector for each text, in the order of the texts. It returns all of them or an error.
	Embed(ctx context.Context, req EmbedRequest) (EmbedResult, error)
}

// EmbedRequest is what an [Embedder] is asked.
type EmbedRequest struct {
	// Model is the provider's own name of the model.
	Model string
	// Texts are 1 to [events.MaxInputs] texts, none of them empty.
	Texts []string
	// Dimensions is the wanted length of the vectors; 0 is the model's own.
	Dimensions int
	// User is an opaque end-user id for providers that take one; it may be empty.
	User string
}

// EmbedResult is what an [Embedder] answers.
type EmbedResult struct {
	// Vectors are finite, not all zeros, and of one length.
	Vectors [][]float32
	// PromptTokens is the number of tokens as the provider counted them; 0 when it did not say.
	PromptTokens int
}
