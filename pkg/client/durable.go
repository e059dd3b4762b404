package client

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// SubmitOption changes how a durable request is submitted.
type SubmitOption func(nats.Header)

// KeepResult asks that the result is kept for d: a second to [events.MaxResultTTL]; [events.DefaultResultTTL] without it.
func KeepResult(d time.Duration) SubmitOption {
	return func(h nats.Header) { h[events.HeaderResultTTL] = []string{d.String()} }
}

// SubmitEmbed stores a request for vectors in the work queue and returns its id: whatever crashes, it will be answered.
// It may have [events.MaxDurableInputs] texts. [Client.Result] gets the answer, an [events.EmbeddingsResponse], [Client.Vectors] reads
// its vectors, and [Client.Job] tells how far it has come. See [Client.SubmitGenerate] for the id.
func (c *Client) SubmitEmbed(ctx context.Context, id string, req events.EmbeddingsRequest, options ...SubmitOption) (string, error) {
	if err := req.ValidateDurable(); err != nil {
		return "", err
	}
	return c.submit(ctx, events.KindEmbed, id, req, options)
}

// SubmitGenerate stores a request for an answer in the work queue and returns its id: whatever crashes, it will be
// answered. [Client.Result] gets the answer, an [events.ChatResponse].
//
// The id is a subject token; an empty one makes a fresh UUIDv7. Submitting the same again with the same id, as may be done
// when a submit failed, does the work once: within two minutes it is not even stored, and while the result is kept it gets
// the same result again, unless that is an error that may pass. Something else under the same id is refused with
// invalid_argument, in a result under its stream sequence.
//
// With req.Stream the answer can also be read as it is made: see [Client.Attach].
func (c *Client) SubmitGenerate(ctx context.Context, id string, req events.ChatRequest, options ...SubmitOption) (string, error) {
	if err := req.Validate(); err != nil {
		return "", err
	}
	return c.submit(ctx, events.KindGenerate, id, req, options)
}

// submit publishes one durable request. ctx bounds the publishing, not the work.
func (c *Client) submit(ctx context.Context, kind, id string, req any, options []SubmitOption) (string, error) {
	if id == "" {
		id = events.NewID()
	}
	if err := events.CheckToken("request id", id); err != nil {
		return "", err
	}
	most := events.MaxBody
	if kind == events.KindEmbed {
		most = events.MaxDurableBody
	}
	msg, err := c.messageOf(context.WithoutCancel(ctx), c.subjects.Request(c.caller, kind), req, most)
	if err != nil {
		return "", err
	}
	msg.Header[events.HeaderRequestID] = []string{id}
	// JetStream knows only one message of an id in all of the stream: it must not take two requests for the same because
	// their callers, or their kinds, call them by the same name.
	msg.Header[events.HeaderMsgID] = []string{msg.Subject + "." + id}
	for _, option := range options {
		option(msg.Header)
	}
	if _, err := events.ResultTTL(msg.Header); err != nil {
		return "", err
	}
	_, err = c.store(ctx, msg)
	return id, err
}

// Result waits for the reply of a durable request and decodes it into resp; a failed request is its error. Of several replies
// under one id, it takes the last. It may be
// called from anywhere, before or after the reply is there, and any number of times while the reply is kept. It waits as
// long as ctx lets it: for an id that nobody submitted, or whose reply was kept long enough, that is for ever.
func (c *Client) Result(ctx context.Context, id string, resp any) error {
	if err := events.CheckToken("request id", id); err != nil {
		return err
	}
	subject := c.subjects.Result(c.caller, id)
	results := &reader{client: c, stream: c.subjects.StreamName(events.StreamResults), filters: []string{subject}, from: fromLast}
	var reply jetstream.Msg
	err := results.read(ctx, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
		reply = msg
		return errEnough
	})
	if err != nil {
		return err
	}
	return decodeReply(subject, reply.Headers(), reply.Data(), resp)
}
