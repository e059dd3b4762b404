// Package upstream asks one provider of embeddings, with one key after the other, until it has answered or it is no use to go on.
//
// What follows a failure depends on whose fault it is ([llm.Class]):
//
//	caller, content, unsupported, model, canceled   nothing: it ends at once
//	key                 the key rests until its content changes; if it is live, it is asked for anew and tried once more; then the
//	                    next key
//	limit               the key rests for this model until the provider says; the next key; if there is none and there is time, that
//	                    time is waited for
//	quota               the key rests for long; the next key
//	provider, network   the same again after a while, some times
//	timeout, answer     the same, but once
//
// A provider that fails many times in a row is left alone for a while, after which one call alone finds out whether it answers again.
// Answers that cannot be understood do not count for that: a single text may be why, and nobody can do without the provider because of
// another's text. What rests is known to this process only.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Options say how patient an upstream is. The zero value of a field is its default, but for Retries.
type Options struct {
	// Retries is how often a call is made again after a failure of the server; one that was slow, or whose answer could not be
	// understood, once at most.
	Retries int
	// Backoff is the wait before each, of which a random part is waited; default 0.5s doubling to 8s.
	Backoff retry.Backoff
	// InFlight is the number of attempts at the same time; default 32. Others wait their turn, in the order in which they came.
	InFlight int
	// Waiting is how many may wait for their turn; default 1024. More are refused.
	Waiting int
	// Timeout bounds one attempt; default 1m.
	Timeout time.Duration
	// MaxWait is the longest that is waited for a limit to end; what takes longer is told to the caller. Default 1m.
	MaxWait time.Duration
	// Target is how spans and metrics name the provider; nil: by its name.
	Target *genai.Target
	// GenAI records attempts; nil: nobody does.
	GenAI *genai.Recorder
	// Logger hears when keys and the provider are left alone, and when no longer. It must be set.
	Logger *slog.Logger
	// Metrics takes the counts; nil: nobody does. Upstreams share one.
	Metrics *Metrics
	// Random returns a number in [0, 1) and is safe for concurrent use; nil is [rand.Float64].
	Random func() float64
}

// Upstream is one provider. It is safe for concurrent use, and needs no closing.
type Upstream struct {
	name    string
	adapter llm.EmbedAdapter
	opts    Options
	// slots has room for as many attempts as may be in flight; who waits for room gets it in turn. waiting counts those who do.
	slots   chan struct{}
	waiting atomic.Int64

	ring *keyring.Ring

	mu     sync.Mutex
	limits map[string]*limits // by model
}

// New returns an upstream. name is that under which the provider is configured; without keys it is asked without one.
func New(name string, adapter llm.EmbedAdapter, keys []providers.Key, o Options) (*Upstream, error) {
	switch {
	case name == "" || adapter == nil:
		return nil, errors.New("upstream: a provider must have a name and an adapter")
	case o.Logger == nil:
		return nil, errors.New("upstream: Logger must be set")
	case o.Retries < 0:
		return nil, fmt.Errorf("upstream: Retries is %d; it must not be below 0", o.Retries)
	}
	for value, standard := range map[*time.Duration]time.Duration{
		&o.Backoff.Base: 500 * time.Millisecond, &o.Backoff.Cap: 8 * time.Second, &o.Timeout: time.Minute, &o.MaxWait: time.Minute,
	} {
		if *value <= 0 {
			*value = standard
		}
	}
	if o.InFlight <= 0 {
		o.InFlight = 32
	}
	if o.Waiting <= 0 {
		o.Waiting = 1024
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Target == nil {
		o.Target = &genai.Target{Provider: name}
	}
	if o.Metrics == nil {
		o.Metrics = newMetrics()
	}
	ring, err := keyring.New(name, keys, keyring.Options{Timeouts: true, Patience: o.Backoff.Cap, Logger: o.Logger, Random: o.Random})
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	o.Logger = o.Logger.With(slog.String("provider", name))
	return &Upstream{
		name: name, adapter: adapter, opts: o, slots: make(chan struct{}, o.InFlight), ring: ring, limits: make(map[string]*limits),
	}, nil
}

// Name is that under which the provider is configured.
func (u *Upstream) Name() string { return u.name }

// Embed makes a call, and repeats it where that may help. The call's own Key does not count. Every error is a [llm.Fault]; its Until,
// and the RetryAfter of what the caller is told, is when the provider can be asked again, as far as that is known.
func (u *Upstream) Embed(ctx context.Context, call llm.EmbedCall) (*llm.Embedded, error) {
	r := run{upstream: u, call: call, use: u.ring.Use()}
	embedded, fault := r.do(ctx)
	if fault != nil {
		return nil, fault
	}
	return embedded, nil
}

// enter waits for a place among the attempts in flight.
func (u *Upstream) enter(ctx context.Context) *llm.Fault {
	select {
	case u.slots <- struct{}{}:
		return nil
	default:
	}
	defer u.waiting.Add(-1)
	if u.waiting.Add(1) > int64(u.opts.Waiting) {
		e := events.Errorf(events.CodeRateLimited, "%d calls wait for this provider already; try again later", u.opts.Waiting)
		e.Provider, e.RetryAfter = u.name, time.Second
		return &llm.Fault{Class: llm.ClassLimit, Err: e}
	}
	select {
	case u.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return u.gone(ctx)
	}
}

// exit gives the place to the next.
func (u *Upstream) exit() { <-u.slots }

// gone is the fault of who does not wait any longer, or has no time left.
func (u *Upstream) gone(ctx context.Context) *llm.Fault {
	return &llm.Fault{Class: llm.ClassCanceled, Err: events.AsError(context.Cause(ctx))}
}
