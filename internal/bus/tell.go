package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Tell sends a message to whoever hears it now. Nobody says whether it has arrived, and nothing keeps it.
func (b *Bus) Tell(ctx context.Context, m Msg) error {
	began := b.clock()
	msg, err := b.natsMsg(ctx, m, trace.SpanContext{})
	if err == nil {
		if err = b.nc.PublishMsg(msg); err != nil {
			err = events.Errorf(events.CodeUnavailable, "the message on %s could not be sent: %w", m.Subject, err)
		}
	}
	if err != nil && b.notable(ctx, began, err) {
		b.afterwards(ctx, began, &b.templates.of(m.Subject).publish, err)
	}
	return err
}

// Hear calls heard for every message on subject, one after the other, until ctx ends. Unlike [Bus.Listen] it returns at once, when it
// has subscribed.
func (b *Bus) Hear(ctx context.Context, subject string, heard func(Heard)) error {
	return b.until(ctx, subject, "", func(m *nats.Msg) { heard(Heard{Subject: m.Subject, Header: m.Header, Body: m.Data}) })
}

// Answer answers the requests on subject, one after the other, until ctx ends, each by one of those who name the same queue. What
// it answers to a request is a body or an error. It is for operators' requests that are no operations of the catalogue. It returns at
// once, when it has subscribed.
func (b *Bus) Answer(ctx context.Context, subject, queue string, answer func(Heard) ([]byte, error)) error {
	return b.until(ctx, subject, queue, func(m *nats.Msg) {
		if m.Reply == "" {
			return
		}
		body, err := b.answer(ctx, Heard{Subject: m.Subject, Header: m.Header, Body: m.Data}, answer)
		reply := &nats.Msg{Subject: m.Reply, Data: body, Header: nats.Header{}}
		if err != nil {
			header, said := events.EncodeError(err)
			reply.Header, reply.Data = header, said
		}
		if err := b.nc.PublishMsg(reply); err != nil {
			b.log.WarnContext(ctx, "a request could not be answered", "subject", m.Subject, "err", err)
		}
	})
}

// Attend calls heard for every request on subject, one after the other, until ctx ends, and so does everyone else who attends to it.
// reply sends the answer, a body or an error, and waits until the server has it; who is not meant leaves it uncalled. Attend returns at
// once, when it has subscribed.
func (b *Bus) Attend(ctx context.Context, subject string, heard func(m Heard, reply func(body []byte, err error))) error {
	return b.until(ctx, subject, "", func(m *nats.Msg) {
		if m.Reply == "" {
			return
		}
		_, err := b.answer(ctx, Heard{Subject: m.Subject, Header: m.Header, Body: m.Data}, func(h Heard) ([]byte, error) {
			var failure error
			heard(h, func(body []byte, err error) {
				reply := &nats.Msg{Subject: m.Reply, Data: body, Header: nats.Header{}}
				if err != nil {
					failure = err
					reply.Header, reply.Data = events.EncodeError(err)
				}
				if err := b.nc.PublishMsg(reply); err != nil {
					b.log.WarnContext(ctx, "a request could not be answered", "subject", m.Subject, "err", err)
				}
				b.flush(ctx)
			})
			return nil, failure
		})
		if err != nil {
			b.log.DebugContext(ctx, "a request was refused", "subject", m.Subject, "err", err)
		}
	})
}

// answer has a request answered, under a span.
func (b *Bus) answer(ctx context.Context, m Heard, answer func(Heard) ([]byte, error)) ([]byte, error) {
	if !b.tracing {
		return answer(m)
	}
	_, span := b.start(ContextFromHeader(ctx, m.Header), &b.templates.of(m.Subject).served)
	defer span.End()
	body, err := answer(m)
	if err != nil {
		failed(span, err)
	}
	return body, err
}

// until subscribes until ctx ends.
func (b *Bus) until(ctx context.Context, subject, queue string, handle nats.MsgHandler) error {
	sub, err := b.nc.QueueSubscribe(subject, queue, handle)
	if err != nil {
		return fmt.Errorf("subscribing %s: %w", subject, err)
	}
	b.flush(ctx) // without a connection, the subscription is made by the reconnect
	context.AfterFunc(ctx, func() {
		if err := sub.Unsubscribe(); err != nil {
			b.log.DebugContext(ctx, "ending a subscription failed; the connection is closed", "subject", subject, "err", err)
		}
	})
	return nil
}
