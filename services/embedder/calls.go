package embedder

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/shape"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

// calls are the calls of batches: whoever serves a model is asked in turn, and what is answered lies in the model's space.
type calls struct {
	table     *catalog.Table
	upstreams map[place]*upstream.Upstream
	pins      *space.Pins
}

var _ batch.Calls = (*calls)(nil)

// Limits implements [batch.Calls]: what all who serve the model take, and the operator allows.
func (c *calls) Limits(ctx context.Context, g batch.Group) llm.EmbedLimits {
	model, err := c.table.Resolve(g.Model)
	if err != nil { // the call fails
		return llm.EmbedLimits{}
	}
	limits := model.Limits
	for _, target := range model.Targets {
		up := c.upstream(model, target)
		if up == nil {
			continue
		}
		told := up.Limits(ctx, target.Model)
		limits.Items = smaller(limits.Items, told.Items)
		limits.Tokens = smaller(limits.Tokens, told.Tokens)
		limits.ItemTokens = smaller(limits.ItemTokens, told.ItemTokens)
	}
	return limits
}

// smaller is the smaller of two limits, of which 0 is none.
func smaller(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// Call implements [batch.Calls].
func (c *calls) Call(ctx context.Context, g batch.Group, texts []string, truncate bool) (*llm.Embedded, string, error) {
	model, err := c.table.Resolve(g.Model)
	if err != nil {
		return nil, "", &llm.Fault{Class: llm.ClassModel, Err: events.AsError(err)}
	}
	var fault *llm.Fault
	for _, target := range model.Targets {
		embedded, err := c.ask(ctx, model, target, g, texts, truncate)
		if err == nil {
			return embedded, target.String(), nil
		}
		next := llm.FaultOf(err)
		if ctx.Err() != nil || ofTheText(next) {
			return nil, "", next
		}
		if fault == nil || more(next, fault) {
			fault = next
		}
	}
	return nil, "", fault
}

// more reports whether a fault tells more than that of another who serves the same model: first what can be a text's, so that it is looked
// for; then what passes, and soonest; and that one of several has no such model, least.
func more(f, than *llm.Fault) bool {
	switch {
	case (f.Class == llm.ClassAnswer) != (than.Class == llm.ClassAnswer):
		return f.Class == llm.ClassAnswer
	case f.Err.Retryable != than.Err.Retryable:
		return f.Err.Retryable
	case f.Err.Retryable:
		return f.Err.RetryAfter < than.Err.RetryAfter
	default:
		return than.Class == llm.ClassModel && f.Class != llm.ClassModel
	}
}

// ofTheText reports whether a fault is that of a text, so that it would be the same wherever the model is.
func ofTheText(f *llm.Fault) bool {
	switch f.Class {
	case llm.ClassCaller, llm.ClassContent, llm.ClassCanceled:
		return true
	case llm.ClassUnsupported:
		return f.Err.Code == events.CodeInvalidArgument
	default:
		return false
	}
}

// upstream is who asks for a target; nil if there is nobody.
func (c *calls) upstream(model *catalog.Model, target catalog.Target) *upstream.Upstream {
	if up := c.upstreams[place{target.Provider, model.Pooling}]; up != nil {
		return up
	}
	return c.upstreams[place{provider: target.Provider}]
}

// ask asks one target, and makes of its answer vectors of the model's space. Where the server cannot shorten the vectors of a model
// that can be shortened, that is done here.
func (c *calls) ask(ctx context.Context, model *catalog.Model, target catalog.Target, g batch.Group, texts []string, truncate bool) (*llm.Embedded, error) {
	up := c.upstream(model, target)
	if up == nil {
		return nil, &llm.Fault{Class: llm.ClassModel, Err: events.Errorf(events.CodeInternal, "nobody asks provider %s", target.Provider)}
	}
	call := llm.EmbedCall{Model: target.Model, Dimensions: g.Dimensions, InputType: g.InputType, User: g.User, Truncate: truncate, Output: model.Output}
	if g.Tokens {
		call.Tokens = tokenids.UnpackAll(texts)
	} else {
		call.Texts = texts
	}
	embedded, err := up.Embed(ctx, call)
	if err != nil && g.Dimensions > 0 && model.Matryoshka && cannotShorten(err) {
		call.Dimensions = 0
		embedded, err = up.Embed(ctx, call)
	}
	if err != nil {
		return nil, err
	}
	if own := len(embedded.Vectors[0]); call.Dimensions == 0 {
		if said := model.Dimensions; said > 0 && own != said {
			e := events.Errorf(events.CodeFailedPrecondition, "%s answered vectors of length %d, and those of %s are to have %d. "+
				"If they have not, say so under models in the configuration: dimensions: %d", target, own, model.Name, said, own)
			return nil, refused(e, target.Provider)
		}
		if err := c.pins.Check(ctx, model.Space, model.Revision, target.String(), own); err != nil {
			return nil, refused(err, target.Provider)
		}
		if g.Dimensions > own {
			e := events.Errorf(events.CodeInvalidArgument, "dimensions is %d; the vectors of %s have %d", g.Dimensions, model.Name, own)
			return nil, &llm.Fault{Class: llm.ClassModel, Err: e}
		}
	}
	if embedded.Served != "" {
		if err := c.pins.CheckServed(ctx, model.Space, model.Revision, target.String(), len(embedded.Vectors[0]), embedded.Served); err != nil {
			return nil, refused(err, target.Provider)
		}
	}
	for i, v := range embedded.Vectors {
		if g.Dimensions > 0 {
			v = shape.Cut(v, g.Dimensions)
		}
		ok := true
		if model.Normalize {
			v, ok = shape.Normalize(v)
		}
		if !ok {
			e := events.Errorf(events.CodeUnavailable, "bad answer: a vector of %s has no direction", target)
			e.Provider = target.Provider
			return nil, &llm.Fault{Class: llm.ClassAnswer, Err: e}
		}
		embedded.Vectors[i] = v
	}
	return embedded, nil
}

// cannotShorten reports whether a server refuses to shorten vectors.
func cannotShorten(err error) bool {
	f := llm.FaultOf(err)
	return f.Class == llm.ClassUnsupported && f.Err.Code == events.CodeUnsupported
}

// refused is the fault of an answer that does not lie in its model's space, or of which that is not known. It is nobody's text's.
func refused(err error, provider string) *llm.Fault {
	e := *events.AsError(err)
	e.Provider = provider
	if e.Code == events.CodeFailedPrecondition {
		return &llm.Fault{Class: llm.ClassModel, Err: &e}
	}
	return &llm.Fault{Class: llm.ClassProvider, Err: &e}
}
