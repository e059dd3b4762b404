package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StreamState is how much a stream holds.
type StreamState struct {
	Messages, Bytes uint64
	// First and Last are the sequences of its oldest and newest message, FirstTime and LastTime when they were stored.
	First, Last         uint64
	FirstTime, LastTime time.Time
}

// StreamState returns how much a stream holds; found is false when there is no such stream.
func (b *Bus) StreamState(ctx context.Context, name string) (state StreamState, found bool, err error) {
	stream, err := b.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return StreamState{}, false, nil
	}
	if err != nil {
		return StreamState{}, false, assetError("stream", name, err)
	}
	s := stream.CachedInfo().State
	return StreamState{Messages: s.Msgs, Bytes: s.Bytes, First: s.FirstSeq, Last: s.LastSeq, FirstTime: s.FirstTime, LastTime: s.LastTime}, true, nil
}

// ConsumerState is how far a durable consumer has come.
type ConsumerState struct {
	// Pending is how many messages were not handed out yet, Unacked how many were and wait for their ack, Redelivered how many of those
	// were handed out more than once.
	Pending              uint64
	Unacked, Redelivered int
	// Delivered is the last sequence of the stream that was handed out, Settled that up to which all are settled.
	Delivered, Settled uint64
	// LastDelivered is when something was handed out last; zero is never.
	LastDelivered time.Time
}

// ConsumerState returns how far a durable consumer has come; found is false when there is none, or no such stream.
func (b *Bus) ConsumerState(ctx context.Context, stream, name string) (state ConsumerState, found bool, err error) {
	consumer, err := b.js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return ConsumerState{}, false, nil
	}
	if err != nil {
		return ConsumerState{}, false, assetError("consumer", stream+"/"+name, err)
	}
	info := consumer.CachedInfo()
	state = ConsumerState{
		Pending: info.NumPending, Unacked: info.NumAckPending, Redelivered: info.NumRedelivered,
		Delivered: info.Delivered.Stream, Settled: info.AckFloor.Stream,
	}
	if info.Delivered.Last != nil {
		state.LastDelivered = *info.Delivered.Last
	}
	return state, true, nil
}
