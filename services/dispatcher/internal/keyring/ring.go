package keyring

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// ResolveFunc returns what a reference stands for; [Resolver.Resolve] and [Resolver.Peek] are such. Its errors are an
// [events.Error] and hold no value.
type ResolveFunc func(ctx context.Context, reference string) (secret.Value, error)

// Key is a key that is ready to sign.
type Key struct {
	// Signer signs by the key's method.
	Signer webhook.Signer
	// BodySecret is the secret of a key of method v1, for the signature over the body alone; it is empty for others.
	BodySecret secret.Value
	// ExpiresAt is when the key ends; zero while nothing has replaced it. Who signs enforces it.
	ExpiresAt time.Time
}

// opener makes a key of a record. One for a scheme whose keys never leave where they are, such as a KMS, makes a Signer
// that calls there, and resolves nothing.
type opener func(ctx context.Context, rec Record, resolve ResolveFunc) (Key, error)

// Ring makes and opens signing keys. It is safe for concurrent use.
type Ring struct {
	sealer  atomic.Pointer[Sealer]
	openers map[string]opener // by the scheme of the reference
}

// New returns a Ring that seals what it generates.
func New(sealer *Sealer) *Ring {
	r := &Ring{openers: map[string]opener{schemeSecret: openValue, schemeEnv: openValue}}
	r.sealer.Store(sealer)
	return r
}

// Replace has another sealer seal and open from now on.
func (r *Ring) Replace(sealer *Sealer) { r.sealer.Store(sealer) }

// Holds is [Sealer.Holds] of the sealer there is now.
func (r *Ring) Holds(rec Record) bool { return r.sealer.Load().Holds(rec) }

// CanGenerate returns nil if keys can be generated; see [Sealer.CanSeal].
func (r *Ring) CanGenerate() error { return r.sealer.Load().CanSeal() }

// Generate makes a new key of an endpoint. The value beside the record is what signs.
func (r *Ring) Generate(endpoint, method string, now time.Time) (Record, secret.Value, error) {
	rec := Record{ID: newID(), Method: method, CreatedAt: now}
	var value secret.Value
	switch method {
	case events.SignHMAC:
		value = secret.NewValue(webhook.GenerateSecret())
	case events.SignEd25519:
		private, public := webhook.GenerateKeyPair()
		value, rec.PublicKey = secret.NewValue(private), public
	default:
		return Record{}, secret.Value{}, unknownMethod(rec)
	}
	rec, err := r.sealer.Load().seal(endpoint, rec, value)
	return rec, value, err
}

// Open makes a stored key ready to sign. Errors are an [events.Error].
func (r *Ring) Open(ctx context.Context, endpoint string, rec Record, resolve ResolveFunc) (Key, error) {
	key, err := r.open(ctx, endpoint, rec, resolve)
	if err != nil {
		return Key{}, err
	}
	key.ExpiresAt = rec.ExpiresAt
	return key, nil
}

// open is Open without the end of the key.
func (r *Ring) open(ctx context.Context, endpoint string, rec Record, resolve ResolveFunc) (Key, error) {
	if rec.Generated() {
		value, err := r.sealer.Load().open(endpoint, rec)
		if err != nil {
			return Key{}, err
		}
		return newKey(rec, value)
	}
	scheme, _ := split(rec.Reference)
	open, ok := r.openers[scheme]
	if !ok {
		return Key{}, notAReference()
	}
	return open(ctx, rec, resolve)
}

// Reseal returns the record sealed with the first of the sealing keys, so that older ones can be retired. What was not
// generated, or does not open, stays as it is.
func (r *Ring) Reseal(endpoint string, rec Record) Record {
	sealer := r.sealer.Load()
	if !rec.Generated() || rec.SealKey == sealer.first || sealer.CanSeal() != nil {
		return rec
	}
	value, err := sealer.open(endpoint, rec)
	if err != nil { // whoever opens the record to sign with it says why
		return rec
	}
	resealed, err := sealer.seal(endpoint, rec, value)
	if err != nil {
		return rec
	}
	return resealed
}

// openValue opens a key whose reference names a value.
func openValue(ctx context.Context, rec Record, resolve ResolveFunc) (Key, error) {
	value, err := resolve(ctx, rec.Reference)
	if err != nil {
		return Key{}, err
	}
	return newKey(rec, value)
}

// newKey makes a key of its value.
func newKey(rec Record, value secret.Value) (Key, error) {
	where := rec.Reference
	if where == "" {
		where = "key " + rec.ID
	}
	switch rec.Method {
	case events.SignHMAC:
		signer, err := webhook.NewHMAC(value.Reveal())
		if err != nil {
			return Key{}, unusable(where, err)
		}
		return Key{Signer: signer, BodySecret: value}, nil
	case events.SignEd25519:
		signer, err := webhook.NewEd25519(value.Reveal())
		if err != nil {
			return Key{}, unusable(where, err)
		}
		return Key{Signer: signer}, nil
	default:
		return Key{}, unknownMethod(rec)
	}
}

// unknownMethod is the error about a record whose method nobody here knows.
func unknownMethod(rec Record) error {
	return events.Errorf(events.CodeFailedPrecondition, "key %s is of method %q; this version knows v1 and v1a", shorten(rec.ID), shorten(rec.Method))
}

// unusable is the error about a value that is no key of its method. The cause does not quote it.
func unusable(where string, cause error) error {
	return events.Errorf(events.CodeFailedPrecondition, "%s holds no key that can sign: %w", where, cause)
}
