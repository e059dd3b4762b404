package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxGathered bounds the answers to one question.
const maxGathered = 1024

// Gather asks everyone who hears a subject, and returns the answers: those that come until nobody has answered for as long as pause, or
// until ctx ends. That nobody answers is an [events.Error] of code unavailable. Answers that are errors are among the others; see
// [events.DecodeError].
func (b *Bus) Gather(ctx context.Context, m Msg, pause time.Duration) ([]Reply, error) {
	if !b.tracing {
		return b.gather(ctx, m, pause, trace.SpanContext{})
	}
	ctx, span := b.requestSpan(ctx, m)
	defer span.End()
	replies, err := b.gather(ctx, m, pause, span.SpanContext())
	if err != nil {
		failed(span, err)
	}
	return replies, err
}

// gather does what Gather says, without the span.
func (b *Bus) gather(ctx context.Context, m Msg, pause time.Duration, span trace.SpanContext) ([]Reply, error) {
	msg, err := b.natsMsg(ctx, m, span)
	if err != nil {
		return nil, err
	}
	msg.Reply = b.nc.NewInbox()
	answers := make(chan *nats.Msg, maxGathered)
	sub, err := b.nc.ChanSubscribe(msg.Reply, answers)
	if err != nil {
		return nil, fmt.Errorf("subscribing the answers on %s: %w", m.Subject, err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // a connection that is closed has no subscriptions
	if err := b.nc.PublishMsg(msg); err != nil {
		return nil, events.Errorf(events.CodeUnavailable, "the request on %s failed: %w", m.Subject, err)
	}
	var got []Reply
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for len(got) < maxGathered {
		select {
		case answer := <-answers:
			if len(answer.Data) == 0 && answer.Header.Get("Status") == "503" {
				return nil, nobodyHears(m.Subject)
			}
			got = append(got, Reply{Header: answer.Header, Body: answer.Data})
			timer.Reset(pause)
			continue
		case <-timer.C:
		case <-ctx.Done():
			if len(got) == 0 && errors.Is(ctx.Err(), context.Canceled) {
				return nil, events.Errorf(events.CodeCanceled, "the request on %s was canceled: %w", m.Subject, ctx.Err())
			}
		}
		break
	}
	if len(got) == 0 {
		return nil, nobodyHears(m.Subject)
	}
	return got, nil
}

// nobodyHears is what the silence on a subject means.
func nobodyHears(subject string) error {
	return events.Errorf(events.CodeUnavailable, "nobody answers on %s: is the service running?", subject)
}
