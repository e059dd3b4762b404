package batch

import (
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
)

const (
	// bytesPerToken is how many bytes an ordinary token has.
	bytesPerToken = 4
	// marks is how many tokens of each text a tokenizer adds of its own, which a server counts or does not.
	marks = 2
)

// long reports whether a text is likely to be longer than the model reads.
func (f *flight) long(t *text) bool {
	if n, counted := tokenids.Count(t.text); counted {
		return f.most > 0 && n > f.most
	}
	return f.most > 0 && len(t.text) >= bytesPerToken*f.most
}

// cuts reports whether texts that are too long are to be asked for once more, to be cut: one that has failed alone, and several if it
// will be seen which of them were.
func (f *flight) cuts(texts []*text) bool {
	switch {
	case !f.group.key.Truncate || f.group.key.Tells:
		return false
	case len(texts) == 1:
		return true
	default:
		return !f.unsure && !slices.ContainsFunc(texts, func(t *text) bool { return !f.long(t) })
	}
}

// seen reports whether it is to be seen of an answer that all its texts were cut, and how much was read of each. Of several it is, if
// the sum of their tokens is as large as it can be.
func (f *flight) seen(c *call, e *llm.Embedded) (used int, seen bool) {
	if len(c.texts) == 1 { // it did not fit otherwise
		return e.PromptTokens, true
	}
	return f.most, f.most > marks && e.PromptTokens >= len(c.texts)*(f.most-marks)
}

// notSeen has texts asked for one by one of which it was not to be seen whether they were cut.
func (f *flight) notSeen() *llm.Fault {
	f.unsure = true
	return &llm.Fault{Class: llm.ClassUnsupported, Err: events.Errorf(events.CodeInvalidArgument, "a text is too long for the model")}
}
