package embedder

import (
	"context"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
)

// worker does one embeddings request, whichever door it came through.
type worker struct {
	table   *catalog.Table
	sources map[string]source // of vectors, by the provider's name
	calls   *calls
	batcher *batch.Batcher
	cache   *cache.Namespace
	pins    *space.Pins
	jobs    *job.Jobs
}

// work implements [door.Worker].
func (w *worker) work(ctx context.Context, call *door.Call) ([]byte, error) {
	req, err := parse(call)
	if err != nil {
		return nil, err
	}
	if req.Model == "" {
		req.Model = w.table.Default()
	}
	call.Report.Model, call.Report.Inputs = req.Model, req.Count()
	asked(ctx, call)
	ask, err := w.asks(req.Model, &req)
	if err != nil {
		return nil, err
	}
	length := ask.length(w.pins)
	if call.Durable {
		if size := w.partSize(ctx, call, &req, ask, length); size > 0 {
			return w.inParts(ctx, call, &req, ask, size)
		}
	} else if err := fits(&req, length, call.Limit); err != nil {
		return nil, err
	}
	got, err := w.embed(ctx, call.Caller, ask, ask.prefixed(inputs(&req)))
	if err != nil {
		return nil, err
	}
	// Another model has other tokens: ids that mean something to the first mean something else to it.
	if other := ask.model.Other; other != "" && req.AllowOtherSpace && len(req.Tokens) == 0 && got.elsewhere() {
		if got, err = w.instead(ctx, call, &req, other, got); err != nil {
			return nil, err
		}
	}
	got.report(call)
	answered(ctx, call, ask.cached && w.cache != nil)
	if got.failed == len(got.items) {
		return nil, whole(got)
	}
	if err := got.passing(); call.Durable && err != nil { // it is handed out again, and what is known by then is not asked for twice
		return nil, err
	}
	body, err := reply(call, &req, got)
	if call.Durable && errors.Is(err, errTooLarge) { // the vectors are longer than was to be known
		return w.inParts(ctx, call, &req, ask, req.Count())
	}
	return body, err
}

// parse reads a request. Those of the durable door may hold more.
func parse(call *door.Call) (req events.EmbeddingsRequest, err error) {
	if call.Durable {
		if req, err = events.ParseDurableEmbeddingsRequest(call.Body); err == nil {
			err = req.ValidateDurable()
		}
		return req, err
	}
	if req, err = events.ParseEmbeddingsRequest(call.Body); err == nil {
		err = req.Validate()
	}
	return req, err
}

// instead asks another model, whose vectors lie in another space, for all texts: those of one reply lie in one. If it does not answer
// either, what the first said stands.
func (w *worker) instead(ctx context.Context, call *door.Call, req *events.EmbeddingsRequest, other string, first *result) (*result, error) {
	ask, err := w.asks(other, req)
	if err != nil { // the length that was asked for is none of its
		return first, nil //nolint:nilerr // the first answer says what is wrong
	}
	got, err := w.embed(ctx, call.Caller, ask, ask.prefixed(req.Input))
	if err != nil {
		return nil, err
	}
	used := got.tokens + first.tokens // whatever is answered, both have used theirs
	if got.failed >= first.failed {
		got = first
	}
	got.tokens = used
	return got, nil
}
