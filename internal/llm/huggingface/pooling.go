package huggingface

import (
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

// Rules by which the vectors of a text's tokens become its vector, for [Options.Pooling]. The model's card says which is the right one;
// another gives vectors that look good and mean little.
const (
	PoolMean = "mean" // the mean of all
	PoolCLS  = "cls"  // that of the first token
	PoolMax  = "max"  // the largest number at each place
	PoolLast = "last" // that of the last token
)

// pooled makes one vector for each text of what was answered: a list of vectors, which are pooled, or a vector alone for a text alone;
// or, for each text, a list of the vectors of its tokens, in which it may stand alone in a list once more.
func (a *Adapter) pooled(list *vectors.Lists, texts int) ([][]float32, error) {
	const ofTexts, ofTokens, ofParts = 2, 3, 4
	if list.Depth >= ofTokens && list.Depth <= ofParts && a.opts.Pooling == "" {
		return nil, a.features.Bad("it has a vector for each token, and nothing says how one for each text is made of them;" +
			" set the provider's pooling to mean, cls, max or last, as the model's card says")
	}
	if list.Err != nil {
		return nil, a.features.Bad("%w", list.Err)
	}
	if list.Depth == 1 {
		if texts != 1 {
			return nil, a.features.Bad("one vector for %d texts", texts)
		}
		return list.Rows, nil
	}
	if got := list.Groups[0][0]; got != texts {
		return nil, a.features.Bad("%d vectors for %d texts", got, texts)
	}
	if list.Depth == ofTexts {
		return list.Rows, nil
	}
	if list.Depth == ofParts && slices.Max(list.Groups[1]) > 1 {
		return nil, a.features.Bad("a text has several lists of vectors of tokens")
	}
	rows, pooled := list.Rows, make([][]float32, 0, texts)
	for _, tokens := range list.Groups[list.Depth-2] {
		pooled, rows = append(pooled, pool(a.opts.Pooling, rows[:tokens])), rows[tokens:]
	}
	return pooled, nil
}

// pool makes one vector of those of tokens, by a rule; there is at least one.
func pool(rule string, tokens [][]float32) []float32 {
	switch rule {
	case PoolCLS:
		return tokens[0]
	case PoolLast:
		return tokens[len(tokens)-1]
	case PoolMax:
		out := tokens[0]
		for _, token := range tokens[1:] {
			for i, x := range token {
				out[i] = max(out[i], x)
			}
		}
		return out
	default:
		sums := make([]float64, len(tokens[0]))
		for _, token := range tokens {
			for i, x := range token {
				sums[i] += float64(x)
			}
		}
		out := make([]float32, len(sums))
		for i, sum := range sums {
			out[i] = float32(sum / float64(len(tokens)))
		}
		return out
	}
}
