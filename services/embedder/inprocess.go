package embedder

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// inProcess are the models in this process, by their names.
type inProcess struct{ encoder *uselite.Model }

// Embed implements [llm.EmbedAdapter].
func (p inProcess) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	return p.model(call.Model).Embed(ctx, call)
}

// EmbedLimits implements [llm.EmbedAdapter].
func (p inProcess) EmbedLimits(ctx context.Context, model string, key secret.Value) (llm.EmbedLimits, error) {
	return p.model(model).EmbedLimits(ctx, model, key)
}

// model is the encoder for all names but one: the catalogue lets no other pass.
func (p inProcess) model(name string) llm.EmbedAdapter {
	if name == local.HashModel {
		return local.Hash{}
	}
	return p.encoder
}
