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
//  2. A transformer of two layers makes a vector of each 128 tokens or less: the mean over the tokens, through a last dense part, with
//     length 1.
//  3. A text of more than 128 tokens is cut into windows of 128 that overlap by 32. Its vector is the mean of theirs, weighted by their
//     tokens, with length 1.
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
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Name is the name of the model, and Dimensions the length of its vectors.
const (
	Name       = "use-lite-512"
	Dimensions = weights.Wide
)

//go:embed use-lite-512.bin
var file []byte

//go:embed NOTICE
var notice string

//go:embed LICENSE
var license string

// Notice returns where the weights come from, and their licence, the Apache License 2.0: both go with every program that has them.
func Notice() string { return notice + "\n" + license }

// Model is the model. The zero value is ready; it reads the weights when it is first used, which takes some milliseconds and 1 MB: the
// numbers of 8 bits stay where they are in the program. It must not be copied after that.
type Model struct {
	once      sync.Once
	err       error
	tokenizer *tokenizer
	encoder   *encoder
}

var _ llm.Embedder = (*Model)(nil)

// Embed implements [llm.Embedder]. A context that ends is seen within some milliseconds.
func (m *Model) Embed(ctx context.Context, req llm.EmbedRequest) (llm.EmbedResult, error) {
	if req.Dimensions != 0 && req.Dimensions != Dimensions {
		return llm.EmbedResult{}, llm.Refuse(local.Provider, "dimensions: %s/%s has %d and no other", local.Provider, Name, Dimensions)
	}
	m.once.Do(m.load)
	if m.err != nil {
		return llm.EmbedResult{}, m.err
	}
	res := llm.EmbedResult{Vectors: make([][]float32, len(req.Texts))}
	run := m.encoder.start()
	defer run.release()
	for i, text := range req.Texts {
		tokens, err := m.tokenizer.tokens(ctx, text)
		if err != nil {
			return llm.EmbedResult{}, ended(err)
		}
		if len(tokens) == 0 {
			return llm.EmbedResult{}, events.Errorf(events.CodeInvalidArgument, "input[%d] has no text in it", i)
		}
		res.PromptTokens += len(tokens)
		res.Vectors[i] = make([]float32, Dimensions)
		for window := range windows(tokens) {
			if err := run.add(ctx, window, res.Vectors[i]); err != nil {
				return llm.EmbedResult{}, ended(err)
			}
		}
	}
	if err := run.flush(ctx); err != nil {
		return llm.EmbedResult{}, ended(err)
	}
	for _, v := range res.Vectors {
		normalise(v)
	}
	return res, nil
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

// ended is the error of a context that has ended.
func ended(err error) error {
	e := *events.AsError(err)
	e.Provider = local.Provider
	return &e
}
