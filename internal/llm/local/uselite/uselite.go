// Package uselite is a sentence encoder that runs in the process, without a network, a key or a file of its own: the Universal Sentence
// Encoder Lite by Google, with its weights rounded to 8 bits. Texts that mean the same get similar vectors, whatever words they use.
//
// It knows English only. Pieces of words in other languages that use the Latin alphabet have vectors too, but characters that its
// vocabulary does not have, as nearly all of Cyrillic, Chinese or emoji, are all the same unknown token. It is small: on the test set of
// STS-B the weights reach a rank correlation of 0.70 with people's judgement, where the large encoders of providers reach 0.8 and more.
//
// How a text becomes a vector:
//
//  1. It is normalised to NFKC and cut into words at white space, control characters and "▁" (U+2581). Each word, with a "▁" in front of
//     it, is cut into the most likely pieces of a vocabulary of 8,000; a piece is a token, and a run of unknown characters is one.
//  2. A transformer of two layers makes a vector of the first 128 tokens: the mean over them, through a last dense part, with length 1.
//     A longer text is refused, or its end is cut off; that is for who asks to say.
//
// The vector of a text is the same whatever texts stand beside it. Between machines it may differ by rounding, in the sixth decimal.
package uselite

import (
	"context"
	_ "embed" // for the weights
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Name is the name of the model, and Dimensions the length of its vectors.
const (
	Name       = "use-lite-512"
	Dimensions = weights.Wide
)

// maxTokens is how many tokens the encoder was made for.
const maxTokens = 128

//go:embed use-lite-512.bin
var file []byte

//go:embed NOTICE
var notice string

//go:embed LICENSE
var license string

// Notice returns where the weights come from, and their licence, the Apache License 2.0: both go with every program that has them.
func Notice() string { return notice + "\n" + license }

// Model is the model, an [llm.EmbedAdapter]. The zero value is ready; it reads the weights when it is first used, which takes some
// milliseconds and 1 MB: the numbers of 8 bits stay where they are in the program. It must not be copied after that.
//
// A call keeps all processors busy, for some milliseconds at a time: between them it looks whether its context has ended, and others have
// their turn.
type Model struct {
	once      sync.Once
	err       error
	tokenizer *tokenizer
	encoder   *encoder
}

var _ llm.EmbedAdapter = (*Model)(nil)

// Embed implements [llm.EmbedAdapter]. It counts the tokens of each text, and says which texts it cut.
func (m *Model) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := local.CheckDimensions(call, Name, Dimensions); err != nil {
		return nil, err
	}
	if err := call.RefuseOutput(local.Provider); err != nil {
		return nil, err
	}
	if err := call.RefuseTokens(local.Provider); err != nil {
		return nil, err
	}
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
	return out, nil
}

// EmbedLimits implements [llm.EmbedAdapter].
func (*Model) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return llm.EmbedLimits{Items: events.MaxInputs, ItemTokens: maxTokens}, nil
}

// tooLong is the fault of a text that has more tokens than the model reads.
func tooLong(tokens int) *llm.Fault {
	e := events.Errorf(events.CodeInvalidArgument, "the text has %d tokens; %s/%s reads %d", tokens, local.Provider, Name, maxTokens)
	e.Provider = local.Provider
	return &llm.Fault{Class: llm.ClassUnsupported, Err: e}
}

// load reads the weights.
func (m *Model) load() {
	w, err := weights.Read(file)
	if err != nil {
		m.err = events.Errorf(events.CodeInternal, "%s/%s: %w", local.Provider, Name, err)
		return
	}
	m.tokenizer = newTokenizer(w.Pieces)
	m.encoder = newEncoder(w)
}
