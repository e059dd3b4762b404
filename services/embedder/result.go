package embedder

import (
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
)

// item is what became of one text. Of one out of the cache only the vector is known.
type item batch.Item

// result is what became of the texts of a request.
type result struct {
	model  *catalog.Model
	items  []item
	cached int // texts that were known
	// What count finds.
	dimensions, tokens, failed int
}

// mixed reports whether there are vectors of different lengths.
func (r *result) mixed() bool {
	length := 0
	for i := range r.items {
		switch n := len(r.items[i].Vector); {
		case n == 0:
		case length == 0:
			length = n
		case n != length:
			return true
		}
	}
	return false
}

// count adds up what the items say.
func (r *result) count() {
	r.tokens += r.used()
	for i := range r.items {
		it := &r.items[i]
		if it.Err != nil {
			r.failed++
		} else {
			r.dimensions = len(it.Vector)
		}
	}
}

// used is how many tokens the items took.
func (r *result) used() (tokens int) {
	for i := range r.items {
		tokens += r.items[i].Tokens
	}
	return tokens
}

// elsewhere reports whether a text has no vector for a reason that lies not in it, so that another model may have one.
func (r *result) elsewhere() bool {
	return slices.ContainsFunc(r.items, func(it item) bool { return it.Err != nil && !itsOwn(it.Err) })
}

// passing is the first error that may pass, if there is one.
func (r *result) passing() error {
	for i := range r.items {
		if err := r.items[i].Err; err != nil && events.AsError(err).Retryable {
			return err
		}
	}
	return nil
}

// unsupported is the error of texts that all have failed because nobody can do what is asked for, whatever they are.
func (r *result) unsupported() error {
	if slices.ContainsFunc(r.items, func(it item) bool { return events.CodeOf(it.Err) != events.CodeUnsupported }) {
		return nil
	}
	return r.items[0].Err
}

// itsOwn reports whether an error is the fault of the text. That a provider took too long is not.
func itsOwn(err error) bool {
	switch events.CodeOf(err) {
	case events.CodeInvalidArgument, events.CodeUnsupported, events.CodeContentRejected, events.CodeCanceled:
		return true
	default:
		return false
	}
}

// report tells the door what it took.
func (r *result) report(call *door.Call) {
	call.Report.CachedInputs = r.cached
	call.Report.PromptTokens, call.Report.TotalTokens = r.tokens, r.tokens
	for i := range r.items {
		if by := r.items[i].Answered; by != "" {
			call.Report.AnsweredBy = by
			break
		}
	}
	if call.Report.AnsweredBy == "" && r.model.Name != call.Report.Model {
		call.Report.AnsweredBy = r.model.Name
	}
}

// space is where the vectors lie.
func (r *result) space() *events.EmbeddingSpace {
	return &events.EmbeddingSpace{
		ID: r.model.SpaceID(r.dimensions), Model: r.model.Space, Revision: r.model.Revision, Dimensions: r.dimensions, Normalized: r.model.Normalize,
	}
}

// whole is the error of a request of which every text failed: one that lies not in a text, if there is one, since the others may be well
// when it is gone; else the first.
func whole(got *result) error {
	if len(got.items) == 1 {
		return got.items[0].Err
	}
	first := got.items[0].Err
	if at := slices.IndexFunc(got.items, func(it item) bool { return !itsOwn(it.Err) }); at >= 0 {
		first = got.items[at].Err
	}
	if err := got.passing(); err != nil {
		first = err
	}
	e := *events.AsError(first)
	e.Message = "no text could be embedded; of one of them: " + e.Message
	return &e
}

// told is how the error of one text stands in a reply.
func told(err error) *events.ErrorBody {
	e := events.AsError(err)
	return &events.ErrorBody{
		Code: e.Code, Message: e.Message, Retryable: e.Retryable, RetryAfterMS: e.RetryAfter.Milliseconds(), Provider: e.Provider,
	}
}
