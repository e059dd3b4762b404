package embedder

import (
	"errors"

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
	for i := range r.items {
		it := &r.items[i]
		r.tokens += it.Tokens
		if it.Err != nil {
			r.failed++
		} else {
			r.dimensions = len(it.Vector)
		}
	}
}

// elsewhere reports whether a text has no vector for a reason that lies not in it, so that another model may have one.
func (r *result) elsewhere() bool {
	for i := range r.items {
		if err := r.items[i].Err; err != nil && !itsOwn(err) {
			return true
		}
	}
	return false
}

// itsOwn reports whether an error is the fault of the text.
func itsOwn(err error) bool {
	switch events.CodeOf(err) { //nolint:exhaustive // all others are not
	case events.CodeInvalidArgument, events.CodeUnsupported, events.CodeContentRejected, events.CodeCanceled, events.CodeDeadlineExceeded:
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

// reply writes the reply, and says what would fit when it is too large to be sent. When no text has a vector, the error is that of the
// first.
func reply(req *events.EmbeddingsRequest, got *result, limit int) ([]byte, error) {
	if got.failed == len(got.items) {
		return nil, whole(got)
	}
	packed := req.EncodingFormat == events.EncodingBase64
	res := events.EmbeddingsResponse{
		Model: got.model.Name, Data: make([]events.Embedding, len(got.items)), Failed: got.failed, Space: got.space(),
		Usage: events.EmbeddingsUsage{PromptTokens: got.tokens, TotalTokens: got.tokens},
	}
	for i := range got.items {
		it := &got.items[i]
		res.Data[i] = events.Embedding{Index: i, Embedding: events.Vector{Values: it.Vector, Base64: packed}, Truncated: it.Truncated}
		if it.Err != nil {
			res.Data[i].Error = told(it.Err)
		}
	}
	body, err := encode(&res)
	if err != nil || len(body) <= limit {
		return body, err
	}
	each := len(body)/len(res.Data) + 1
	hint := ""
	if !packed {
		hint = `, or about twice as many with "encoding_format": "base64"`
	}
	return nil, events.Errorf(events.CodeInvalidArgument,
		"the reply has %d bytes; one message takes at most %d: about %d texts of this model fit%s. A durable request may be larger",
		len(body), limit, limit/each, hint)
}

// whole is the error of a request of which every text failed.
func whole(got *result) error {
	first := got.items[0].Err
	if len(got.items) == 1 {
		return first
	}
	e := *events.AsError(first)
	if coded, ok := errors.AsType[*events.Error](first); ok {
		e = *coded
	}
	e.Message = "no text could be embedded; the first: " + e.Message
	return &e
}

// told is how the error of one text stands in a reply.
func told(err error) *events.ErrorBody {
	e := events.AsError(err)
	return &events.ErrorBody{
		Code: e.Code, Message: e.Message, Retryable: e.Retryable, RetryAfterMS: e.RetryAfter.Milliseconds(), Provider: e.Provider,
	}
}
