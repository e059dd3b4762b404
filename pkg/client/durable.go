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
	d, err := c.durable(kind, id, req, options)
	if err != nil {
		return "", err
	}
	return d.id, d.Submit(ctx)
}

// Result waits for the reply of a durable request and decodes it into resp; a failed request is its error. Of several replies
// under one id, it takes the last. It may be
// called from anywhere, before or after the reply is there, and any number of times while the reply is kept. It waits as
// long as ctx lets it: for an id that nobody submitted, or whose reply was kept long enough, that is for ever.
func (c *Client) Result(ctx context.Context, id string, resp any) error {
	results, err := c.results(id)
	if err != nil {
		return err
	}
	return results.decode(resp, results.read(ctx, results.last))
}

// ResultNow is [Client.Result] for who does not wait: it reports whether there is a reply. If there is one, the error is that of the
// request.
func (c *Client) ResultNow(ctx context.Context, id string, resp any) (bool, error) {
	results, err := c.results(id)
	if err != nil {
		return false, err
	}
	ctx, cancel := c.patience(ctx)
	defer cancel()
	consumer, err := results.consumer(ctx)
	if err != nil {
		return false, err
	}
	if consumer.CachedInfo().NumPending == 0 {
		results.forget(ctx, consumer)
		return false, nil
	}
	if err := results.readFrom(ctx, consumer, results.last); err != nil {
		return false, err
	}
	return true, results.decode(resp, nil)
}

// resultReader reads the replies under one id, from the last that is there on.
type resultReader struct {
	reader

	reply jetstream.Msg // that was taken
}

// results reads the replies of a durable request.
func (c *Client) results(id string) (*resultReader, error) {
	if err := events.CheckToken("request id", id); err != nil {
		return nil, err
	}
	return &resultReader{reader: reader{
		client: c, stream: c.subjects.StreamName(events.StreamResults), filters: []string{c.subjects.Result(c.caller, id)}, from: fromLast,
	}}, nil
}

// last takes a reply.
func (r *resultReader) last(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
	r.reply = msg
	return errEnough
}

// decode decodes the reply that was taken, unless reading it failed.
func (r *resultReader) decode(resp any, failed error) error {
	if failed != nil {
		return failed
	}
	return decodeReply(r.filters[0], r.reply.Headers(), r.reply.Data(), resp)
}
