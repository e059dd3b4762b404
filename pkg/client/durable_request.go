package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// DurableRequest is one durable request, before and after it is submitted. Unlike an id alone it knows what is asked for, so that no
// answer to something else is taken for its own. Make one with [Client.DurableEmbed]. It is not safe for concurrent use.
type DurableRequest struct {
	client *Client
	id     string
	msg    *nats.Msg
	hash   string // of what is asked for

	sequence  uint64 // in the stream of requests; 0 before it is submitted
	duplicate bool
}

// DurableEmbed makes a request for vectors that can be submitted; nothing is sent. It is [Client.SubmitEmbed] in two steps.
func (c *Client) DurableEmbed(id string, req events.EmbeddingsRequest, options ...SubmitOption) (*DurableRequest, error) {
	if err := req.ValidateDurable(); err != nil {
		return nil, err
	}
	return c.durable(events.KindEmbed, id, req, options)
}

// durable makes a durable request.
func (c *Client) durable(kind, id string, req any, options []SubmitOption) (*DurableRequest, error) {
	if id == "" {
		id = events.NewID()
	}
	if err := events.CheckToken("request id", id); err != nil {
		return nil, err
	}
	most := events.MaxBody
	if kind == events.KindEmbed {
		most = events.MaxDurableBody
	}
	// Without the deadline of whoever submits it, which bounds the publishing and not the work.
	msg, err := c.messageOf(context.Background(), c.subjects.Request(c.caller, kind), req, most)
	if err != nil {
		return nil, err
	}
	msg.Header[events.HeaderRequestID] = []string{id}
	// JetStream knows only one message of an id in all of the stream: it must not take two requests for the same because
	// their callers, or their kinds, call them by the same name.
	msg.Header[events.HeaderMsgID] = []string{msg.Subject + "." + id}
	for _, option := range options {
		option(msg.Header)
	}
	if _, err := events.ResultTTL(msg.Header); err != nil {
		return nil, err
	}
	hash := sha256.New()
	hash.Write([]byte(kind + "\n"))
	hash.Write(msg.Data)
	return &DurableRequest{client: c, id: id, msg: msg, hash: hex.EncodeToString(hash.Sum(nil))}, nil
}

// ID is the request's id.
func (d *DurableRequest) ID() string { return d.id }

// Duplicate reports whether [DurableRequest.Submit] stored nothing, because a request of the same id had been in the last two minutes:
// that one is answered.
func (d *DurableRequest) Duplicate() bool { return d.duplicate }

// Submit stores the request in the work queue: whatever crashes, it will be answered. After an error it may be called again.
func (d *DurableRequest) Submit(ctx context.Context) error {
	ack, err := d.client.store(ctx, d.msg)
	if err != nil {
		return err
	}
	d.sequence, d.duplicate = ack.Sequence, ack.Duplicate
	return nil
}

// Result waits for the reply, as long as ctx lets it, and decodes it into resp; a failed request is its error. What an earlier
// request under the same id came to is its reply only if that asked for the same, and did not fail before this one was submitted. An
// earlier request that asked for something else keeps the id: then the error is of code invalid_argument. Without
// [DurableRequest.Submit] it is that of whoever submitted the same.
func (d *DurableRequest) Result(ctx context.Context, resp any) error {
	results, err := d.client.results(d.id)
	if err != nil {
		return err
	}
	return results.decode(resp, results.read(ctx, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		if mine, err := d.answers(msg); err != nil || !mine {
			return err
		}
		return results.last(msg, meta)
	}))
}

// answers reports whether a result under the request's id is its own. If not, its own is still to come.
func (d *DurableRequest) answers(msg jetstream.Msg) (bool, error) {
	failure := events.DecodeError(msg.Headers(), msg.Data())
	hash := events.HeaderValue(msg.Headers(), events.HeaderRequestHash)
	since := d.since(msg)
	switch {
	case hash == d.hash:
		return failure == nil || since, nil
	case hash == "": // of a request whose headers were wrong, which is no reason to refuse another
		return since, nil
	case failure != nil && failure.Retryable && (!since || d.sequence == 0): // it does not keep the id
		return false, nil
	default:
		return false, events.Errorf(events.CodeInvalidArgument,
			"the request id %q is that of another request, whose result is still kept: choose an id that is used once", d.id)
	}
}

// since reports whether a result was made for this request or one that was stored after it. What does not say so is taken for that.
func (d *DurableRequest) since(msg jetstream.Msg) bool {
	origin, _, _ := strings.Cut(events.HeaderValue(msg.Headers(), events.HeaderRequestOrigin), "-")
	sequence, err := strconv.ParseUint(origin, 10, 64)
	return err != nil || sequence >= d.sequence
}
