package llmtest

import (
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// LocalEmbedDialect is what [RunLocalEmbed] has to know of a model of embeddings that runs in this process.
type LocalEmbedDialect struct {
	// Provider is the name that every error has to carry, Model the model's.
	Provider, Model string
	// Dimensions is the length of its vectors; it has no other.
	Dimensions int
	// ItemTokens is how many tokens of a text it reads; 0 is all of them.
	ItemTokens int
}

// RunLocalEmbed runs the contract of [llm.EmbedAdapter], as far as it concerns a model that no server answers for.
func RunLocalEmbed(t *testing.T, d LocalEmbedDialect, a llm.EmbedAdapter) {
	t.Helper()
	_, _ = d, a
}
