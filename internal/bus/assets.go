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
	MaxBytes       int64 // 0 is no bound
	Duplicates     time.Duration
	AllowTTL       bool
	AllowSchedules bool
	Description    string
	Replicas       int
	Storage        string // "file" or "memory"
}

// ConsumerSpec is a durable pull consumer with explicit acks.
type ConsumerSpec struct {
	Stream, Name  string
	Filters       []string
	AckWait       time.Duration
	MaxAckPending int
	Description   string
}

// BucketSpec is a KV bucket.
type BucketSpec struct {
	Name        string
	History     uint8
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
		Duplicates: c.Duplicates, AllowTTL: c.AllowMsgTTL, AllowSchedules: c.AllowMsgSchedules, Description: c.Description,
		Replicas: c.Replicas, Storage: storageName(c.Storage),
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
		c = jetstream.StreamConfig{MaxMsgs: -1, MaxConsumers: -1, MaxMsgSize: -1, MaxMsgsPerSubject: -1}
	default:
		return assetError("stream", spec.Name, err)
	}
	c.Name, c.Subjects, c.Description = spec.Name, spec.Subjects, spec.Description
	c.MaxAge, c.Duplicates, c.Replicas = spec.MaxAge, spec.Duplicates, spec.Replicas
	c.MaxBytes = -1
	if spec.MaxBytes > 0 {
		c.MaxBytes = spec.MaxBytes
	}
	c.AllowMsgTTL, c.AllowMsgSchedules = spec.AllowTTL, spec.AllowSchedules
	c.Storage = storageType(spec.Storage)
	c.AllowDirect = true
	c.Retention, c.Discard = jetstream.LimitsPolicy, jetstream.DiscardOld
	if spec.Retention == events.RetentionWorkQueue {
		c.Retention = jetstream.WorkQueuePolicy
		// What does not fit is refused, never pushed out: nothing that was accepted may be lost. The server does not allow
		// that for a stream with schedules, so such a stream must have no bound.
		if !spec.AllowSchedules {
			c.Discard = jetstream.DiscardNew
		}
	}
	if _, err := b.js.CreateOrUpdateStream(ctx, c); err != nil {
		return assetError("stream", spec.Name, err)
	}
	return nil
}

// Consumer returns a durable consumer as it is; found is false when there is none, or no such stream.
func (b *Bus) Consumer(ctx context.Context, stream, name string) (spec ConsumerSpec, found bool, err error) {
	consumer, err := b.js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return ConsumerSpec{}, false, nil
	}
	if err != nil {
		return ConsumerSpec{}, false, assetError("consumer", name, err)
	}
	c := consumer.CachedInfo().Config
	filters := c.FilterSubjects
	if c.FilterSubject != "" {
		filters = []string{c.FilterSubject}
	}
	return ConsumerSpec{
		Stream: stream, Name: c.Durable, Filters: filters, AckWait: c.AckWait, MaxAckPending: c.MaxAckPending, Description: c.Description,
	}, true, nil
}

// ApplyConsumer creates a durable consumer, or changes it where it differs.
func (b *Bus) ApplyConsumer(ctx context.Context, spec ConsumerSpec) error {
	_, err := b.js.CreateOrUpdateConsumer(ctx, spec.Stream, jetstream.ConsumerConfig{
		Durable: spec.Name, Description: spec.Description, FilterSubjects: spec.Filters, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: spec.AckWait, MaxAckPending: spec.MaxAckPending, MaxDeliver: -1, DeliverPolicy: jetstream.DeliverAllPolicy,
	})
	if err != nil {
		return assetError("consumer", spec.Stream+"/"+spec.Name, err)
	}
	return nil
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
		Name: name, History: uint8(min(max(c.MaxMsgsPerSubject, 0), 64)), //nolint:gosec // bounded
		Description: c.Description, Replicas: c.Replicas, Storage: storageName(c.Storage),
	}, true, nil
}

// ApplyBucket creates a KV bucket, or changes it where it differs.
func (b *Bus) ApplyBucket(ctx context.Context, spec BucketSpec) error {
	_, err := b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: spec.Name, Description: spec.Description, History: spec.History, Replicas: spec.Replicas, Storage: storageType(spec.Storage),
	})
	if err != nil {
		return assetError("KV bucket", spec.Name, err)
	}
	return nil
}

// Missing returns the streams, consumers and buckets of the catalogue that a service needs and that are not there,
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

// Backlog returns how many messages a durable consumer has not handed out yet, and how many it waits for acks of.
func (b *Bus) Backlog(ctx context.Context, stream, consumer string) (pending uint64, unacked int, err error) {
	c, err := b.js.Consumer(ctx, stream, consumer)
	if err != nil {
		return 0, 0, assetError("consumer", consumer, err)
	}
	info := c.CachedInfo()
	return info.NumPending, info.NumAckPending, nil
}
