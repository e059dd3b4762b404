// Package keyring gives out the keys of one provider, one for each attempt, and leaves alone what it is no use to ask: keys that are not
// accepted, or have used up a limit or their money; the provider, while it fails; and single models of either.
//
// What is left alone for other reasons than that the provider has said when it can be asked again is found out by one attempt alone, for
// which others do not wait. What is known belongs to this process; other replicas learn it themselves.
package keyring

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Options say what is left alone.
type Options struct {
	// Timeouts has the server be left alone also when it is too slow too often.
	Timeouts bool
	// KeysFail has a key be left alone with which requests fail too often, whosever fault it is: what is behind it may fail alone.
	KeysFail bool
	// Patience is for how long a server can ask to be left alone with a model without being so.
	Patience time.Duration
	// Logger hears when keys and the provider are left alone, and when no longer. It must be set.
	Logger *slog.Logger
	// Random returns a number in [0, 1) and is safe for concurrent use; nil is [rand.Float64].
	Random func() float64
}

// Ring is the keys of one provider, and what is known of its state. It is safe for concurrent use.
type Ring struct {
	provider string
	options  Options

	mu sync.Mutex
	// failures counts those of the server in a row; breaker holds it when there were too many.
	failures int
	breaker  hold
	// models are those that the server asks to be left alone with for a while.
	models holds
	keys   []*key
}

// key is one key. A provider that takes requests without one has a key that is empty.
type key struct {
	name   string
	value  secret.Value
	weight int

	// sent is its content; when that changes, everything that is known of the key is forgotten.
	sent secret.Value
	// failures counts attempts in a row that failed with it; hold is of the whole key, models of single ones.
	failures int
	hold     hold
	models   holds
}

// New returns the ring of a provider's keys; without any, it is asked without one.
func New(provider string, keys []providers.Key, o Options) (*Ring, error) {
	if len(keys) > providers.MaxKeys {
		return nil, fmt.Errorf("provider %s has %d keys; at most %d are allowed", provider, len(keys), providers.MaxKeys)
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	o.Logger = o.Logger.With(slog.String("provider", provider))
	r := &Ring{provider: provider, options: o}
	if len(keys) == 0 {
		keys = []providers.Key{{}}
	}
	for _, given := range keys {
		k := &key{name: given.Name, value: given.Value, weight: max(given.Weight, 1), sent: given.Value}
		if given.Value.IsLive() {
			k.sent = secret.NewValue(given.Value.Reveal())
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// refresh takes note of what the key's content is now.
func (k *key) refresh() {
	if !k.value.IsLive() {
		return
	}
	if text := k.value.Reveal(); text != k.sent.Reveal() {
		k.sent = secret.NewValue(text)
		k.failures, k.hold, k.models = 0, hold{}, nil
	}
}

// blocking returns what keeps the key from being used for a model, or nil.
func (k *key) blocking(model string, now time.Time) *hold {
	if k.hold.blocks(now) {
		return &k.hold
	}
	if held := k.models[model]; held.blocks(now) {
		return held
	}
	return nil
}

// missing reports whether it is a live key that has no content.
func (k *key) missing() bool { return k.value.IsLive() && k.sent.IsZero() }

// noKey is the fault of a live key that has no content.
func (r *Ring) noKey() *llm.Fault {
	e := events.Errorf(events.CodeUnauthenticated, "there is no API key now: the store of secrets does not give it")
	e.Provider = r.provider
	return &llm.Fault{Class: llm.ClassKey, Err: e}
}
