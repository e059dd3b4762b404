package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ObjectStoreSpec is a JetStream object store (ADR-20). What does not fit into it is refused.
type ObjectStoreSpec struct {
	Name        string
	MaxAge      time.Duration
	MaxBytes    int64 // 0 is no bound
	AllowTTL    bool  // objects may have shorter lives of their own
	Description string
	Replicas    int
	Storage     string // "file" or "memory"
}

// ObjectStore returns an object store as it is; found is false when there is none.
func (b *Bus) ObjectStore(ctx context.Context, name string) (spec ObjectStoreSpec, found bool, err error) {
	stream, err := b.js.Stream(ctx, objectStream(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return ObjectStoreSpec{}, false, nil
	}
	if err != nil {
		return ObjectStoreSpec{}, false, assetError("object store", name, err)
	}
	c := stream.CachedInfo().Config
	return ObjectStoreSpec{
		Name: name, MaxAge: c.MaxAge, MaxBytes: max(c.MaxBytes, 0), AllowTTL: c.AllowMsgTTL, Description: c.Description,
		Replicas: c.Replicas, Storage: storageName(c.Storage),
	}, true, nil
}

// ApplyObjectStore creates an object store, or changes it where it differs. What the spec does not speak of stays as it is.
func (b *Bus) ApplyObjectStore(ctx context.Context, spec ObjectStoreSpec) error {
	var c jetstream.StreamConfig
	stream, err := b.js.Stream(ctx, objectStream(spec.Name))
	switch {
	case err == nil:
		c = stream.CachedInfo().Config
	case errors.Is(err, jetstream.ErrStreamNotFound): // as the client libraries make it
		c = jetstream.StreamConfig{
			Name: objectStream(spec.Name), Subjects: []string{objectChunks(spec.Name, ">"), objectMeta(spec.Name, ">")},
			Discard: jetstream.DiscardNew, AllowRollup: true, AllowDirect: true, MaxConsumers: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxMsgsPerSubject: -1,
		}
	default:
		return assetError("object store", spec.Name, err)
	}
	c.Description, c.MaxAge, c.MaxBytes, c.AllowMsgTTL = spec.Description, spec.MaxAge, orUnlimited(spec.MaxBytes), spec.AllowTTL
	c.Replicas, c.Storage = spec.Replicas, storageType(spec.Storage)
	if _, err := b.js.CreateOrUpdateStream(ctx, c); err != nil {
		return assetError("object store", spec.Name, replicasError(spec.Replicas, err))
	}
	return nil
}

// objectStream is the stream of an object store.
func objectStream(store string) string { return "OBJ_" + store }

// objectChunks and objectMeta are where an object store has the pieces of an object, and what describes it.
func objectChunks(store, nuid string) string { return "$O." + store + ".C." + nuid }

func objectMeta(store, name string) string { return "$O." + store + ".M." + name }
