package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ConsumerSpec is a durable pull consumer with explicit acks.
type ConsumerSpec struct {
	Stream, Name  string
	Filters       []string
	AckWait       time.Duration
	MaxAckPending int
	MaxDeliver    int    // -1 is no limit: giving up is the reader's business, who writes the dead letter
	AckPolicy     string // "explicit"
	Description   string

	// DeliverNew and StartSequence say where a consumer begins that does not exist yet: with what is stored from now on, or
	// with that sequence. Without them it begins with the stream. A consumer that exists stays where it is, and does not
	// tell where it began.
	DeliverNew    bool
	StartSequence uint64
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
		Stream: stream, Name: c.Durable, Filters: filters, AckWait: c.AckWait, MaxAckPending: c.MaxAckPending,
		MaxDeliver: c.MaxDeliver, AckPolicy: ackPolicy(c.AckPolicy), Description: c.Description,
	}, true, nil
}

// ackPolicy is a policy in a word.
func ackPolicy(p jetstream.AckPolicy) string {
	switch p {
	case jetstream.AckExplicitPolicy:
		return AckExplicit
	case jetstream.AckAllPolicy:
		return "all"
	case jetstream.AckNonePolicy:
		return "none"
	case jetstream.AckFlowControlPolicy:
		return "flow control"
	}
	return p.String()
}

// ApplyConsumer creates a durable consumer, or changes it where it differs.
func (b *Bus) ApplyConsumer(ctx context.Context, spec ConsumerSpec) error {
	for again := false; ; again = true {
		err := b.applyConsumer(ctx, spec)
		if err == nil {
			return nil
		}
		if again || !errors.Is(err, jetstream.ErrConsumerExists) { // made by somebody else in between, and begins elsewhere
			return assetError("consumer", spec.Stream+"/"+spec.Name, err)
		}
	}
}

// applyConsumer does so unless somebody else creates the consumer at the same time.
func (b *Bus) applyConsumer(ctx context.Context, spec ConsumerSpec) error {
	consumer, err := b.js.Consumer(ctx, spec.Stream, spec.Name)
	c := jetstream.ConsumerConfig{Durable: spec.Name, DeliverPolicy: jetstream.DeliverAllPolicy}
	found := err == nil
	switch {
	case found:
		c = consumer.CachedInfo().Config
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return err
	case spec.StartSequence > 0:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, spec.StartSequence
	case spec.DeliverNew:
		c.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	c.Description, c.FilterSubject, c.FilterSubjects = spec.Description, "", spec.Filters
	c.AckPolicy, c.AckWait, c.MaxAckPending, c.MaxDeliver = jetstream.AckExplicitPolicy, spec.AckWait, spec.MaxAckPending, spec.MaxDeliver
	if found {
		_, err = b.js.UpdateConsumer(ctx, spec.Stream, c)
	} else {
		_, err = b.js.CreateConsumer(ctx, spec.Stream, c)
	}
	return err
}

// DeleteConsumer deletes a durable consumer. That there is none, or no such stream, is no error. Whoever reads from it gets
// [ErrConsumerGone].
func (b *Bus) DeleteConsumer(ctx context.Context, stream, name string) error {
	err := b.js.DeleteConsumer(ctx, stream, name)
	if err == nil || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return assetError("consumer", stream+"/"+name, err)
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
