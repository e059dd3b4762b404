// Package provision makes the streams, consumers, KV buckets and object stores of the catalogue on a NATS server, idempotently.
//
// Services never do this themselves: they need no right to change a stream. `mlsdmctl provision` does, `mlsdmctl up` does
// it by itself, compose has an init job for it.
package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config is what operators choose about the assets; the rest is the contract.
type Config struct {
	Replicas         int           `name:"replicas" env:"MLSDM_REPLICAS" default:"1" help:"Copies of every stream and bucket: 1, 3 or 5. A cluster wants 3."`
	Storage          string        `name:"storage" env:"MLSDM_STORAGE" default:"file" enum:"file,memory" help:"Where streams live: file or memory."`
	EventsMaxAge     time.Duration `name:"events-max-age" env:"MLSDM_EVENTS_MAX_AGE" default:"168h" help:"How long events are kept."`
	EventsMaxBytes   int64         `name:"events-max-bytes" env:"MLSDM_EVENTS_MAX_BYTES" default:"0" help:"Largest size of the events stream in bytes; 0 is no bound."`
	AttemptsMaxAge   time.Duration `name:"attempts-max-age" env:"MLSDM_ATTEMPTS_MAX_AGE" default:"168h" help:"How long delivery attempts are kept."`
	AttemptsMaxBytes int64         `name:"attempts-max-bytes" env:"MLSDM_ATTEMPTS_MAX_BYTES" default:"268435456" help:"Largest size of the attempts stream in bytes; 0 is no bound."`
	DeadMaxAge       time.Duration `name:"deadletters-max-age" env:"MLSDM_DEADLETTERS_MAX_AGE" default:"720h" help:"How long dead letters are kept."`
}

// Default returns the configuration that nobody has changed.
func Default() Config {
	return Config{
		Replicas: 1, Storage: bus.StorageFile, EventsMaxAge: 7 * 24 * time.Hour, AttemptsMaxAge: 7 * 24 * time.Hour,
		AttemptsMaxBytes: 256 << 20, DeadMaxAge: 30 * 24 * time.Hour,
	}
}

// Validate checks the choices.
func (c Config) Validate() error {
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		return fmt.Errorf("replicas is %d; it must be 1, 3 or 5", c.Replicas)
	}
	if c.Storage != bus.StorageFile && c.Storage != bus.StorageMemory {
		return fmt.Errorf("storage is %q; it must be file or memory", c.Storage)
	}
	for name, d := range map[string]time.Duration{"events-max-age": c.EventsMaxAge, "attempts-max-age": c.AttemptsMaxAge, "deadletters-max-age": c.DeadMaxAge} {
		if d < time.Minute {
			return fmt.Errorf("%s is %s; it must be at least 1m", name, d)
		}
	}
	if c.EventsMaxBytes < 0 || c.AttemptsMaxBytes < 0 {
		return errors.New("events-max-bytes and attempts-max-bytes must be 0 or more")
	}
	return nil
}

// Actions of a [Step].
const (
	ActionCreate = "create"
	ActionUpdate = "update"
	ActionKeep   = "keep"
)

// Step is what has to be done to one asset.
type Step struct {
	// Kind is "stream", "consumer", "bucket" or "object store"; Name is the asset's real name.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Action is create, update or keep.
	Action string `json:"action"`
	// Changes are the fields that differ, each as "max_age: 24h0m0s -> 168h0m0s"; empty unless Action is update.
	Changes []string `json:"changes,omitempty"`

	apply func(context.Context) error
}

// Plan compares the catalogue with the server and returns a step for every asset, in the order in which they are made.
func Plan(ctx context.Context, b *bus.Bus, cfg Config) ([]Step, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var steps []Step
	s := b.Subjects()
	for _, stream := range events.Streams() {
		want := cfg.stream(s, stream, b.MaxPayload())
		have, found, err := b.Stream(ctx, want.Name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step("stream", want.Name, found, have, want, func(ctx context.Context) error { return b.ApplyStream(ctx, want) }))
	}
	for _, consumer := range events.Consumers() {
		want := bus.ConsumerSpec{
			Stream: s.StreamName(consumer.Stream), Name: consumer.Name, Filters: below(s, consumer.Filters),
			AckWait: consumer.AckWait, MaxAckPending: consumer.MaxAckPending,
			MaxDeliver: -1, AckPolicy: bus.AckExplicit, Description: "read by " + consumer.UsedBy,
		}
		have, found, err := b.Consumer(ctx, want.Stream, want.Name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step("consumer", want.Name, found, have, want, func(ctx context.Context) error { return b.ApplyConsumer(ctx, want) }))
	}
	for _, bucket := range events.Buckets() {
		want := bus.BucketSpec{
			Name: s.BucketName(bucket.Name), History: bucket.History, MaxAge: bucket.MaxAge, Description: bucket.For,
			Replicas: cfg.Replicas, Storage: cfg.Storage,
		}
		have, found, err := b.Bucket(ctx, want.Name)
		if err != nil {
			return nil, err
		}
		if want.MaxAge == 0 { // the catalogue does not speak of it
			want.MaxAge = have.MaxAge
		}
		steps = append(steps, step("bucket", want.Name, found, have, want, func(ctx context.Context) error { return b.ApplyBucket(ctx, want) }))
	}
	for _, store := range events.ObjectStores() {
		want := bus.ObjectStoreSpec{
			Name: s.BucketName(store.Name), MaxAge: store.MaxAge, MaxBytes: store.MaxBytes, AllowTTL: true, Description: store.For,
			Replicas: cfg.Replicas, Storage: cfg.Storage,
		}
		have, found, err := b.ObjectStore(ctx, want.Name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step("object store", want.Name, found, have, want, func(ctx context.Context) error { return b.ApplyObjectStore(ctx, want) }))
	}
	return steps, nil
}

// Apply carries the steps out and calls done after each. It stops at the first that JetStream refuses; the error names the
// asset and the fields that were to change. Running it again goes on from there.
func Apply(ctx context.Context, steps []Step, done func(Step)) error {
	for _, s := range steps {
		if s.Action != ActionKeep {
			if err := s.apply(ctx); err != nil {
				if len(s.Changes) > 0 {
					return fmt.Errorf("cannot change %s: %w", strings.Join(s.Changes, ", "), err)
				}
				return err
			}
		}
		if done != nil {
			done(s)
		}
	}
	return nil
}

// headroom is how much smaller than the server's limit a message must be that somebody works on, in bytes: it may have to be
// sent on whole with more headers, as a delivery or as a dead letter.
const headroom = 16 << 10

// stream is an entry of the catalogue with real names and the operator's choices.
func (c Config) stream(s events.Subjects, entry events.Stream, maxPayload int64) bus.StreamSpec {
	spec := bus.StreamSpec{
		Name: s.StreamName(entry.Name), Subjects: below(s, entry.Subjects), Retention: entry.Retention, MaxAge: entry.MaxAge,
		MaxBytes: entry.MaxBytes, Duplicates: entry.Duplicates, AllowTTL: entry.AllowTTL, AllowSchedules: entry.AllowSchedules,
		Counters: entry.Counters, Description: entry.For, Replicas: c.Replicas, Storage: c.Storage, Discard: bus.DiscardOld,
	}
	// What does not fit into a work queue is refused, never pushed out: nothing that was accepted may be lost. The server does
	// not allow that for a stream with schedules, so such a stream must have no bound. Parts were paid for.
	if entry.Retention == events.RetentionWorkQueue && !entry.AllowSchedules || entry.Name == events.StreamParts {
		spec.Discard = bus.DiscardNew
	}
	if (entry.Name == events.StreamEvents || entry.Name == events.StreamRequests) && maxPayload > 2*headroom {
		spec.MaxMsgSize = int32(min(maxPayload-headroom, math.MaxInt32))
	}
	switch entry.Name {
	case events.StreamEvents:
		spec.MaxAge, spec.MaxBytes = c.EventsMaxAge, c.EventsMaxBytes
	case events.StreamAttempts:
		spec.MaxAge, spec.MaxBytes = c.AttemptsMaxAge, c.AttemptsMaxBytes
	case events.StreamDeadLetters:
		spec.MaxAge = c.DeadMaxAge
	}
	// A window longer than the stream's own age is refused by the server.
	if spec.MaxAge > 0 {
		spec.Duplicates = min(spec.Duplicates, spec.MaxAge)
	}
	return spec
}

// below puts subjects of the catalogue under the installation's prefix.
func below(s events.Subjects, subjects []string) []string {
	out := make([]string, 0, len(subjects))
	for _, subject := range subjects {
		out = append(out, s.Below(subject))
	}
	return out
}

// step compares what is with what should be.
func step[T any](kind, name string, found bool, have, want T, apply func(context.Context) error) Step {
	s := Step{Kind: kind, Name: name, Action: ActionKeep, apply: apply}
	if !found {
		s.Action = ActionCreate
		return s
	}
	changes := map[string]string{}
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range h.NumField() {
		a, b := h.Field(i), w.Field(i)
		if a.Kind() == reflect.Slice {
			if sameSet(a.Interface(), b.Interface()) {
				continue
			}
		} else if a.Equal(b) {
			continue
		}
		field := h.Type().Field(i).Name
		changes[field] = fmt.Sprintf("%s: %v -> %v", field, a.Interface(), b.Interface())
	}
	for _, field := range slices.Sorted(maps.Keys(changes)) {
		s.Changes = append(s.Changes, changes[field])
		s.Action = ActionUpdate
	}
	return s
}

// sameSet compares two lists of subjects whose order means nothing.
func sameSet(a, b any) bool {
	x, okX := a.([]string)
	y, okY := b.([]string)
	return okX && okY && slices.Equal(slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y)))
}
