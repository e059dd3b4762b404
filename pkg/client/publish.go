package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Published says where an event is stored.
type Published struct {
	// ID is the event's id, which is its Nats-Msg-Id and the webhook-id of its deliveries.
	ID string
	// Sequence is its place in the events stream.
	Sequence uint64
	// Duplicate is set when an event of that id was stored shortly before, and this one was therefore dropped.
	Duplicate bool
}

// Publish stores an event of payload's type. When it returns nil the event is on disk; after an error it may or may not
// be, and publishing the same thing again makes a second event: for one that may be repeated, use [Client.PublishEvent].
func (c *Client) Publish(ctx context.Context, payload events.Payload) (Published, error) {
	ev, err := events.New(c.source, payload)
	if err != nil {
		return Published{}, err
	}
	return c.PublishEvent(ctx, ev)
}

// PublishData stores an event of any type, such as "custom.deploy". JSON is published as it is, other text as text/plain,
// anything else as application/octet-stream.
func (c *Client) PublishData(ctx context.Context, eventType string, data []byte) (Published, error) {
	contentType := "application/octet-stream"
	switch {
	case json.Valid(data):
		contentType = events.ContentTypeJSON
	case utf8.Valid(data):
		contentType = events.ContentTypeText
	}
	return c.PublishEvent(ctx, events.Event{
		Type: eventType, DataContentType: contentType, DataSchema: events.SchemaURI(eventType), Data: data,
	})
}

// PublishEvent stores an event. An empty ID, Source or Time is filled in. Publishing the same ID again within two minutes
// stores it once, so an event with an ID may be published again after an error. Errors are an [events.Error]: invalid_argument
// for what cannot be an event, permission_denied, failed_precondition when there is no stream, and unavailable when no ack came,
// as from servers of a cluster that have no majority.
func (c *Client) PublishEvent(ctx context.Context, ev events.Event) (Published, error) {
	if ev.ID == "" {
		ev.ID = events.NewID()
	}
	if ev.Source == "" {
		ev.Source = c.source
	}
	if ev.Time.IsZero() {
		ev.Time = time.Now().UTC()
	}
	subject, header, body, err := ev.Message(c.subjects)
	if err != nil {
		return Published{}, err
	}
	ack, err := c.store(ctx, &nats.Msg{Subject: subject, Header: header, Data: body})
	if err != nil {
		return Published{}, err
	}
	return Published{ID: ev.ID, Sequence: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// noStream is what it means that nobody acks: in a cluster, most likely that the servers behind this one have no majority and the stream no
// leader; on a single server, that there is no such stream.
func (c *Client) noStream(subject string, err error) error {
	if c.nc.ConnectedClusterName() != "" {
		return events.Errorf(events.CodeUnavailable,
			"no stream takes %s now: it has no leader, as when its servers have no majority; or it is not there: run `mlsdmctl provision`: %w", subject, err)
	}
	missing := events.Errorf(events.CodeFailedPrecondition, "no stream takes %s: run `mlsdmctl provision`, or check the subject: %w", subject, err)
	missing.Retryable = true // a server that has just begun and recovers its streams looks the same from here
	return missing
}

// store publishes a message and waits for the stream's ack.
func (c *Client) store(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	if err := c.checkSize(msg); err != nil {
		return nil, err
	}
	msg = c.traced(ctx, msg)
	ctx, cancel := c.patience(ctx)
	defer cancel()
	ctx, release := c.denials.await(ctx, msg.Subject)
	defer release()
	ack, err := c.js.PublishMsg(ctx, msg)
	switch {
	case err == nil:
		return ack, nil
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return nil, c.noStream(msg.Subject, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		if coded, told := errors.AsType[*events.Error](context.Cause(ctx)); told {
			return nil, coded
		}
		// Not deadline_exceeded, whose deadline it was: a stream acks within milliseconds or cannot. Whether it has the message nobody knows.
		return nil, events.Errorf(events.CodeUnavailable,
			"the stream behind %s did not ack in time, as when its servers have no majority; publish it again with the same id: %w", msg.Subject, err)
	default:
		return nil, requestError(ctx, msg.Subject, err)
	}
}
