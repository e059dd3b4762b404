package embedder

import (
	"context"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
)

// What is worked in parts.
const (
	// wholeBytes is up to which size vectors are answered in one piece.
	wholeBytes = 1 << 20
	// unknownLength is how long vectors may be of which nothing is known.
	unknownLength = 4096
	// defaultPart is how many texts are one part where nobody says how many a call takes.
	defaultPart = 512
)

// partSize is how many texts of a durable request are worked as one part: as many as one call to the provider takes. It is 0 for a
// request that is done in one go, as an interactive one is. length is that of the vectors, 0 when it is not known.
func (w *worker) partSize(ctx context.Context, call *door.Call, req *events.EmbeddingsRequest, ask *asking, length int) int {
	size := w.calls.Limits(ctx, ask.group).Items
	if size <= 0 {
		size = defaultPart
	}
	if length == 0 {
		length = unknownLength
	}
	_, bytes := least(req.Count(), length, req.EncodingFormat == events.EncodingBase64)
	if req.Count() <= size && bytes+replyRoom <= min(call.Limit, wholeBytes) {
		return 0
	}
	return size
}

// inParts works a durable request in parts, each of which is kept when it is done. It stays with one model: another one would have to
// begin anew.
func (w *worker) inParts(ctx context.Context, call *door.Call, req *events.EmbeddingsRequest, ask *asking, size int) ([]byte, error) {
	if err := w.meet(ctx, call, req, ask); err != nil {
		return nil, err
	}
	return w.jobs.Work(ctx, job.Request{
		Call: call, Model: req.Model, Making: ask.making(call.Caller), Texts: inputs(req), Encoding: req.EncodingFormat, Size: size,
		Embed: func(ctx context.Context, texts []string) (job.Answer, error) {
			got, err := w.embed(ctx, call.Caller, ask, ask.prefixed(texts))
			if err != nil {
				return job.Answer{}, err
			}
			if !ask.epoch.Lasts(w.epoch(ask.model)) {
				return job.Answer{}, events.Errorf(events.CodeFailedPrecondition,
					"another model came to stand behind %s while the request was worked on; ask again", ask.model.Name)
			}
			if err := got.unsupported(); err != nil { // nor are the others
				return job.Answer{}, err
			}
			answer := job.Answer{Items: make([]job.Item, len(got.items)), Model: ask.model.Name, Space: *got.space()}
			for i := range got.items {
				it := &got.items[i]
				answer.Items[i] = job.Item{Vector: it.Vector, Tokens: it.Tokens, Truncated: it.Truncated, Err: it.Err}
			}
			return answer, nil
		},
	})
}

// meet has the first text embedded where those who serve the model tell which one they have, and have never been asked: the parts of a
// request are told apart by it, also when another attempt goes on with them.
func (w *worker) meet(ctx context.Context, call *door.Call, req *events.EmbeddingsRequest, ask *asking) error {
	tells := slices.ContainsFunc(ask.model.Targets, func(t catalog.Target) bool { return w.sources[t.Provider].tells })
	if !tells || ask.epoch.String() != "" {
		return nil
	}
	_, err := w.embed(ctx, call.Caller, ask, ask.prefixed(inputs(req)[:1]))
	ask.epoch = w.epoch(ask.model)
	return err
}
