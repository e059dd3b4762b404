package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// StreamSpec is a stream as it is, or as it should be: an entry of the catalogue with real names, and what operators choose.
type StreamSpec struct {
	Name           string
	Subjects       []string
	Retention      string
	MaxAge         time.Duration
	MaxBytes       int64  // 0 is no bound
	MaxMsgSize     int32  // of one message, headers included; 0 is what the server takes
	MaxMsgs        int64  // 0 is no bound
	Discard        string // what happens to a message that does not fit: "old" goes, or the "new" one is refused
	Duplicates     time.Duration
	AllowTTL       bool
	AllowSchedules bool
	Counters       bool // every subject is an atomic counter, of which only the value is kept
	Description    string
	Replicas       int
	Storage        string // "file" or "memory"
}

// Words of [StreamSpec] and [ConsumerSpec].
const (
	DiscardOld  = "old"
	DiscardNew  = "new"
	AckExplicit = "explicit"
)

// BucketSpec is a KV bucket.
type BucketSpec struct {
	Name        string
	History     uint8
	MaxAge      time.Duration // 0 is for ever, or as it is
	Description string
	Replicas    int
	Storage     string // "file" or "memory"
}

// Storage types.
const (
	StorageFile   = "file"
	StorageMemory = "memory"
)

// Stream returns a stream as it is; found is false when there is none.
func (b *Bus) Stream(ctx context.Context, name string) (spec StreamSpec, found bool, err error) {
	stream, err := b.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return StreamSpec{}, false, nil
	}
	if err != nil {
		return StreamSpec{}, false, assetError("stream", name, err)
	}
	c := stream.CachedInfo().Config
	spec = StreamSpec{
		Name: c.Name, Subjects: c.Subjects, Retention: events.RetentionLimits, MaxAge: c.MaxAge, MaxBytes: max(c.MaxBytes, 0),
		MaxMsgSize: max(c.MaxMsgSize, 0), MaxMsgs: max(c.MaxMsgs, 0), Discard: DiscardOld,
		Duplicates: c.Duplicates, AllowTTL: c.AllowMsgTTL, AllowSchedules: c.AllowMsgSchedules, Counters: c.AllowMsgCounter,
		Description: c.Description, Replicas: c.Replicas, Storage: storageName(c.Storage),
	}
	if c.Discard == jetstream.DiscardNew {
		spec.Discard = DiscardNew
	}
	switch c.Retention {
	case jetstream.LimitsPolicy:
	case jetstream.WorkQueuePolicy:
		spec.Retention = events.RetentionWorkQueue
	case jetstream.InterestPolicy:
		spec.Retention = "interest"
	}
	return spec, true, nil
}

// ApplyStream creates a stream, or changes it where it differs. What the spec does not speak of stays as it is.
func (b *Bus) ApplyStream(ctx context.Context, spec StreamSpec) error {
	var c jetstream.StreamConfig
	stream, err := b.js.Stream(ctx, spec.Name)
	switch {
	case err == nil:
		c = stream.CachedInfo().Config
	case errors.Is(err, jetstream.ErrStreamNotFound):
		c = jetstream.StreamConfig{MaxConsumers: -1, MaxMsgsPerSubject: -1}
	default:
		return assetError("stream", spec.Name, err)
	}
	c.Name, c.Subjects, c.Description = spec.Name, spec.Subjects, spec.Description
	c.MaxAge, c.Duplicates, c.Replicas = spec.MaxAge, spec.Duplicates, spec.Replicas
	c.MaxBytes, c.MaxMsgs, c.MaxMsgSize = orUnlimited(spec.MaxBytes), orUnlimited(spec.MaxMsgs), orUnlimited(spec.MaxMsgSize)
	c.AllowMsgTTL, c.AllowMsgSchedules = spec.AllowTTL, spec.AllowSchedules
	if c.AllowMsgCounter = spec.Counters; spec.Counters {
		c.MaxMsgsPerSubject = 1
	}
	c.Storage = storageType(spec.Storage)
	c.AllowDirect = true
	c.Retention, c.Discard = jetstream.LimitsPolicy, jetstream.DiscardOld
	if spec.Retention == events.RetentionWorkQueue {
		c.Retention = jetstream.WorkQueuePolicy
	}
	if spec.Discard == DiscardNew {
		c.Discard = jetstream.DiscardNew
	}
	if _, err := b.js.CreateOrUpdateStream(ctx, c); err != nil {
		return assetError("stream", spec.Name, replicasError(spec.Replicas, err))
	}
	return nil
}

// orUnlimited is a limit in JetStream's words.
func orUnlimited[T int32 | int64](limit T) T {
	if limit <= 0 {
		return -1
	}
	return limit
}

// replicasError says so if it is the number of replicas that the servers cannot give.
func replicasError(replicas int, err error) error {
	const notClustered, noPeers = 10074, 10005 // JSStreamReplicasNotSupportedErr, JSClusterNoPeersErrF
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == notClustered || api.ErrorCode == noPeers) {
		return fmt.Errorf("replicas is %d, for which there are not enough servers in the cluster: %w", replicas, err)
	}
	return err
}

// Bucket returns a KV bucket as it is; found is false when there is none.
func (b *Bus) Bucket(ctx context.Context, name string) (spec BucketSpec, found bool, err error) {
	stream, err := b.js.Stream(ctx, "KV_"+name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return BucketSpec{}, false, nil
	}
	if err != nil {
		return BucketSpec{}, false, assetError("KV bucket", name, err)
	}
	c := stream.CachedInfo().Config
	return BucketSpec{
		Name: name, History: uint8(min(max(c.MaxMsgsPerSubject, 0), 64)), MaxAge: c.MaxAge,
		Description: c.Description, Replicas: c.Replicas, Storage: storageName(c.Storage),
	}, true, nil
}

// ApplyBucket creates a KV bucket, or changes it where it differs. What the spec does not speak of stays as it is.
func (b *Bus) ApplyBucket(ctx context.Context, spec BucketSpec) error {
	stream, err := b.js.Stream(ctx, "KV_"+spec.Name)
	switch {
	case err == nil:
		c := stream.CachedInfo().Config
		c.MaxMsgsPerSubject, c.Description, c.Replicas, c.Storage = int64(spec.History), spec.Description, spec.Replicas, storageType(spec.Storage)
		if spec.MaxAge > 0 {
			c.MaxAge, c.Duplicates = spec.MaxAge, min(c.Duplicates, spec.MaxAge) // a longer window is refused by the server
		}
		_, err = b.js.UpdateStream(ctx, c)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		_, err = b.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: spec.Name, Description: spec.Description, History: spec.History, TTL: spec.MaxAge,
			Replicas: spec.Replicas, Storage: storageType(spec.Storage),
		})
	}
	if err != nil {
		return assetError("KV bucket", spec.Name, replicasError(spec.Replicas, err))
	}
	return nil
}

// Missing returns the streams, consumers, buckets and object stores of the catalogue that a service needs and that are not there,
// each as "stream MLSDM_EVENTS".
func (b *Bus) Missing(ctx context.Context, service string) ([]string, error) {
	ctx, cancel := withTimeout(ctx, apiTimeout)
	defer cancel()
	var missing []string
	note := func(what string, found bool, err error) error {
		if err == nil && !found {
			missing = append(missing, what)
		}
		return err
	}
	for _, s := range events.Streams() {
		if !slices.Contains(s.UsedBy, service) {
			continue
		}
		name := b.subjects.StreamName(s.Name)
		_, found, err := b.Stream(ctx, name)
		if err := note("stream "+name, found, err); err != nil {
			return nil, err
		}
	}
	for _, c := range events.Consumers() {
		if c.UsedBy != service {
			continue
		}
		_, found, err := b.Consumer(ctx, b.subjects.StreamName(c.Stream), c.Name)
		if err := note("consumer "+c.Name, found, err); err != nil {
			return nil, err
		}
	}
	for _, k := range events.Buckets() {
		if !slices.Contains(k.UsedBy, service) {
			continue
		}
		name := b.subjects.BucketName(k.Name)
		_, found, err := b.Bucket(ctx, name)
		if err := note("KV bucket "+name, found, err); err != nil {
			return nil, err
		}
	}
	for _, o := range events.ObjectStores() {
		if !slices.Contains(o.UsedBy, service) {
			continue
		}
		name := b.subjects.BucketName(o.Name)
		_, found, err := b.ObjectStore(ctx, name)
		if err := note("object store "+name, found, err); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// assetError says which asset JetStream refused, in JetStream's words.
func assetError(kind, name string, err error) error {
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) || errors.Is(err, nats.ErrNoResponders) {
		return events.Errorf(events.CodeFailedPrecondition, "JetStream is not switched on at this server or for this account (nats-server --jetstream): %w", err)
	}
	return fmt.Errorf("%s %s: %w", kind, name, err)
}

// storageName and storageType translate between words and the client library's constants.
func storageName(t jetstream.StorageType) string {
	if t == jetstream.MemoryStorage {
		return StorageMemory
	}
	return StorageFile
}

func storageType(name string) jetstream.StorageType {
	if name == StorageMemory {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

// StreamMessages returns how many messages a stream holds.
func (b *Bus) StreamMessages(ctx context.Context, name string) (uint64, error) {
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return 0, assetError("stream", name, err)
	}
	return stream.CachedInfo().State.Msgs, nil
}
