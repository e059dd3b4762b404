// Package engine makes attempts: it asks one provider after the other, with one key after the other, until one has answered, and
// leaves alone what it is no use to ask.
//
// What may follow a failure depends on whose fault it is ([llm.Class]), and is the same for answers in one piece and for streams:
//
//	caller, content     nothing: it ends at once
//	unsupported, model  the next target; if none can, the first of these is the error
//	key                 the key rests until its content changes; if it is live, it is asked for anew and tried once more; then the
//	                    next key, then the next target
//	limit               the key rests for this model until the provider says; the next key, the next target; if nothing else is left
//	                    and there is time, that time is waited for
//	quota               the key rests for long; the next key, the next target
//	provider, network   the same target again after a while, some times; then the next one
//	timeout, answer     the same, but once
//	canceled            nothing
//
// A stream is held back until its first output, so that a failure before it goes unseen; after it, the request ends with a
// [PartialError]. What rests, and what is left alone, is known to this process only.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
)

// Provider is one provider that can be asked.
type Provider struct {
	// Name is what stands before the slash in targets.
	Name string
	// Adapter speaks its protocol.
	Adapter llm.Adapter
	// Keys are its API keys, at most [providers.MaxKeys]; none: it is asked without one.
	Keys []providers.Key
	// Target is how spans and metrics name it; nil: by Name.
	Target *genai.Target
}

// Config says how patient an engine is. The zero value of a field is its default, but for Retries.
type Config struct {
	// Answer bounds one attempt at an answer in one piece, which shows nothing until it is there: it is to be as long as the
	// longest good answer takes; default 2m. As long as there are other targets, an attempt gets two thirds of the time that is
	// left at the most, so that one that hangs leaves time for another.
	Answer time.Duration
	// FirstToken bounds the wait for the first output of a stream; default 1m. As long as there are other targets, it is half of
	// the time that is left at the most.
	FirstToken time.Duration
	// Idle bounds the pauses of a stream that has begun; default 30s. A sign of life ([llm.Call]) ends a pause.
	Idle time.Duration
	// Retries is how often one target is tried again; one that was slow, or whose answer could not be understood, once at most.
	Retries int
	// Backoff is the wait before each, of which a random part is waited; default 0.5s doubling to 8s.
	Backoff retry.Backoff
	// MaxWait is the longest that is waited for a limit to end; what takes longer is told to the caller. Default 1m.
	MaxWait time.Duration
	// Gate is asked before each attempt; nil: all may pass.
	Gate Gate
	// Metrics takes the counters; nil: they are counted for nobody.
	Metrics prometheus.Registerer
	// GenAI records attempts; nil: nobody does.
	GenAI *genai.Recorder
	// Logger hears when keys and providers are left alone, and when no longer.
	Logger *slog.Logger
	// Random returns a number in [0, 1) and is safe for concurrent use; nil is [rand.Float64].
	Random func() float64
}

// Bounds of one request.
const (
	// maxAttempts ends a request that goes from key to key, whatever the numbers of keys and targets are.
	maxAttempts = 50
	// maxWaits is how often one request waits for limits.
	maxWaits = 3
)

// Engine asks providers. It is safe for concurrent use.
type Engine struct {
	cfg     Config
	metrics *metrics
	// providers are those that can be asked, by name.
	providers map[string]*provider
}

// New checks cfg and returns an engine.
func New(cfg Config, list []Provider) (*Engine, error) {
	if cfg.Logger == nil {
		return nil, errors.New("engine: Logger must be set")
	}
	if cfg.Retries < 0 {
		return nil, fmt.Errorf("engine: Retries is %d; it must not be below 0", cfg.Retries)
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&cfg.Answer, 2 * time.Minute},
		{&cfg.FirstToken, time.Minute},
		{&cfg.Idle, 30 * time.Second},
		{&cfg.MaxWait, time.Minute},
		{&cfg.Backoff.Base, 500 * time.Millisecond},
		{&cfg.Backoff.Cap, 8 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, metrics: m, providers: make(map[string]*provider, len(list))}
	for _, p := range list {
		switch {
		case p.Name == "" || p.Adapter == nil:
			return nil, errors.New("engine: a provider must have a name and an adapter")
		case e.providers[p.Name] != nil:
			return nil, fmt.Errorf("engine: provider %s is there twice", p.Name)
		}
		ring, err := keyring.New(p.Name, p.Keys, keyring.Options{KeysFail: true, Logger: cfg.Logger, Random: cfg.Random})
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		if p.Target == nil {
			p.Target = &genai.Target{Provider: p.Name}
		}
		e.providers[p.Name] = &provider{adapter: p.Adapter, ring: ring, target: p.Target}
	}
	return e, nil
}

// provider is one that can be asked, and what is known of its keys.
type provider struct {
	adapter llm.Adapter
	ring    *keyring.Ring
	target  *genai.Target
}

// Limited reports whether attempts need the consent of a [Gate].
func (e *Engine) Limited() bool { return e.cfg.Gate != nil }

// Available says whether a model of a provider can be asked now.
func (e *Engine) Available(name, model string) keyring.Availability {
	p := e.providers[name]
	if p == nil {
		return keyring.Availability{Class: llm.ClassModel}
	}
	return p.ring.Available(model, time.Now())
}

// State returns what is known of a provider, and whether there is one of that name.
func (e *Engine) State(name string) (s keyring.State, known bool) {
	p := e.providers[name]
	if p == nil {
		return keyring.State{}, false
	}
	return p.ring.State(time.Now()), true
}

// Do answers a request. The result is never nil: after a failure it says what was tried. The error is an [events.Error], or a
// [PartialError] that wraps one. What it says of retries holds for all targets: RetryAfter is the time until the first of them can
// be asked again, as far as that is known.
//
// The deadline of ctx is that of the whole request. When ctx ends, so does the attempt that is under way, and none follows.
func (e *Engine) Do(ctx context.Context, ask Ask) (*Result, error) {
	if limit := ask.Route.Options.Timeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	r := &run{engine: e, ask: ask, begin: time.Now()}
	r.last = r.begin
	r.Attempts = r.room[:0]
	err := r.do(ctx)
	return &r.Result, err
}
