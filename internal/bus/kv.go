package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Errors of [KV], and of reading in general.
var (
	// ErrNotFound is returned by [KV.Get] for a key that has no value, and by [Bus.StoredMessage].
	ErrNotFound = errors.New("not there")
	// ErrConflict is returned when somebody else wrote the key in between: read it again.
	ErrConflict = errors.New("the key was changed by somebody else")
)

// KV is one key-value bucket.
type KV struct {
	bus    *Bus
	bucket string
	kv     jetstream.KeyValue
}

// KV opens a bucket of the catalogue by its name there, for example [events.BucketCI].
func (b *Bus) KV(ctx context.Context, bucket string) (*KV, error) {
	name := b.subjects.BucketName(bucket)
	kv, err := b.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, events.Errorf(events.CodeFailedPrecondition, "there is no KV bucket %s: run `mlsdmctl provision`: %w", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("KV bucket %s: %w", name, err)
	}
	return &KV{bus: b, bucket: name, kv: kv}, nil
}

// Get returns the value of a key and its revision, or [ErrNotFound]. It sees everything that was written before.
func (k *KV) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if key == "" || checkSubject(key) != nil {
		return nil, 0, events.Errorf(events.CodeInvalidArgument, "%q cannot be a key: it is made of tokens without spaces, joined by dots, none of them * or >", key)
	}
	began := k.bus.clock()
	m, err := k.bus.stored(ctx, "KV_"+k.bucket, storedQuery{Last: "$KV." + k.bucket + "." + key})
	if err == nil && isDelete(m.Header) {
		err = ErrNotFound
	}
	k.bus.stores(ctx, began, "get", k.bucket, err)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s/%s: %w", k.bucket, key, err)
	}
	return m.Body, m.Sequence, nil
}

// Create writes a key that has no value yet and returns its revision, or [ErrConflict].
func (k *KV) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	began := k.bus.clock()
	revision, err := k.kv.Create(ctx, key, value)
	return revision, k.written(ctx, began, "create", key, err)
}

// Update writes a key whose revision is still the given one and returns the new one, or [ErrConflict].
func (k *KV) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	began := k.bus.clock()
	next, err := k.kv.Update(ctx, key, value, revision)
	return next, k.written(ctx, began, "update", key, err)
}

// Put writes a key, whatever it was before, and returns its revision.
func (k *KV) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	began := k.bus.clock()
	revision, err := k.kv.Put(ctx, key, value)
	return revision, k.written(ctx, began, "put", key, err)
}

// Delete takes a key's value away, if its revision is still the given one: otherwise it returns [ErrConflict]. With revision
// 0 it does so in any case; that a key has no value is then no error.
func (k *KV) Delete(ctx context.Context, key string, revision uint64) error {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	var opts []jetstream.KVDeleteOpt
	if revision > 0 {
		opts = append(opts, jetstream.LastRevision(revision))
	}
	began := k.bus.clock()
	return k.written(ctx, began, "delete", key, k.kv.Delete(ctx, key, opts...))
}

// Keys returns the keys that have a value, in no order.
func (k *KV) Keys(ctx context.Context) ([]string, error) {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	began := k.bus.clock()
	keys, err := k.kv.Keys(ctx)
	if errors.Is(err, jetstream.ErrNoKeysFound) {
		keys, err = nil, nil
	}
	k.bus.stores(ctx, began, "keys", k.bucket, err)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", k.bucket, err)
	}
	return keys, nil
}

// written ends an operation that writes a key: it says what its error means.
func (k *KV) written(ctx context.Context, began time.Time, operation, key string, err error) error {
	err = k.writeError(key, err)
	k.bus.stores(ctx, began, operation, k.bucket, err)
	return err
}

// writeError tells a lost race from a failure.
func (k *KV) writeError(key string, err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists), errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
		return fmt.Errorf("%s/%s: %w", k.bucket, key, ErrConflict)
	default:
		return fmt.Errorf("writing %s/%s: %w", k.bucket, key, err)
	}
}
