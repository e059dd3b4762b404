package uselite

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Adapter is the model as an [llm.EmbedAdapter]. It reads the first 128 tokens of a text, says how many there are, and refuses a longer
// text or cuts its end, as the call wants. The zero value is ready; it must not be copied after its first use.
//
// A call keeps all processors busy, for some milliseconds at a time: between them it looks whether its context has ended, and others have
// their turn.
type Adapter struct{ model Model }

var _ llm.EmbedAdapter = (*Adapter)(nil)

// Embed implements [llm.EmbedAdapter].
func (a *Adapter) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := local.CheckDimensions(call, Name, Dimensions); err != nil {
		return nil, err
	}
	m := &a.model
	m.once.Do(m.load)
	if m.err != nil {
		return nil, llm.FaultOf(m.err)
	}
	out := &llm.Embedded{Vectors: make([][]float32, len(call.Texts)), Tokens: make([]int, len(call.Texts))}
	run := m.encoder.start()
	defer run.release()
	for i, text := range call.Texts {
		if ctx.Err() != nil {
			return nil, local.Ended(context.Cause(ctx))
		}
		tokens, err := m.tokenizer.tokens(ctx, text)
		if err != nil {
			return nil, local.Ended(err)
		}
		out.Tokens[i] = len(tokens)
		switch {
		case len(tokens) == 0:
			return nil, local.NoText()
		case len(tokens) > maxTokens && !call.Truncate:
			return nil, tooLong(len(tokens))
		case len(tokens) > maxTokens:
			if out.Truncated == nil {
				out.Truncated = make(map[int]events.Truncation)
			}
			out.Truncated[i] = events.Truncation{Tokens: len(tokens), Used: maxTokens}
			tokens = tokens[:maxTokens]
		}
		out.PromptTokens += len(tokens)
		out.Vectors[i] = make([]float32, Dimensions)
		if err := run.add(ctx, tokens, out.Vectors[i]); err != nil {
			return nil, local.Ended(err)
		}
	}
	if err := run.flush(ctx); err != nil {
		return nil, local.Ended(err)
	}
	for _, v := range out.Vectors {
		normalise(v)
	}
	return out, nil
}

// EmbedLimits implements [llm.EmbedAdapter].
func (*Adapter) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return llm.EmbedLimits{Items: events.MaxInputs, ItemTokens: maxTokens}, nil
}

// tooLong is the fault of a text that has more tokens than the model reads.
func tooLong(tokens int) *llm.Fault {
	e := events.Errorf(events.CodeInvalidArgument, "the text has %d tokens; %s/%s reads %d", tokens, local.Provider, Name, maxTokens)
	e.Provider = local.Provider
	return &llm.Fault{Class: llm.ClassUnsupported, Err: e}
}
