package generator

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/answers"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// caching is what one request has to do with the cache of answers.
type caching struct {
	cache         *answers.Cache
	key           answers.Key
	reads, writes bool
}

// caching says so: the header of the request decides, and without it the alias.
func (w *worker) caching(call *door.Call, to *route.Route, req *events.ChatRequest) (caching, error) {
	c := caching{cache: w.answers}
	switch wish := events.HeaderValue(call.Header, events.HeaderCache); wish {
	case "":
		c.reads, c.writes = to.Options.Cache, to.Options.Cache
	case events.CacheOn:
		c.reads, c.writes = true, true
	case events.CacheRefresh:
		c.writes = true
	case events.CacheOff:
	default:
		return caching{}, events.Errorf(events.CodeInvalidArgument, "the header %s must be %s, %s or %s",
			events.HeaderCache, events.CacheOn, events.CacheOff, events.CacheRefresh)
	}
	if w.answers == nil || !c.writes {
		return caching{}, nil
	}
	if _, asked := req.Extra["logprobs"]; asked && req.Stream { // what is put together from chunks has none
		c.writes = false
	}
	key, err := answers.KeyOf(call.Caller, to.Name, req)
	c.key = key
	return c, err
}

// outcome says what came of looking into the cache: off, hit, miss, or refresh where an answer is kept and none is taken.
func (c caching) outcome(hit bool) string {
	switch {
	case hit:
		return "hit"
	case c.reads:
		return "miss"
	case c.writes:
		return "refresh"
	default:
		return "off"
	}
}

// get returns the answer that is kept, or nil.
func (c caching) get(ctx context.Context) *events.ChatResponse {
	if !c.reads {
		return nil
	}
	return c.cache.Get(ctx, c.key)
}

// put keeps an answer.
func (c caching) put(ctx context.Context, answer *events.ChatResponse) {
	if c.writes {
		c.cache.Put(ctx, c.key, answer)
	}
}
