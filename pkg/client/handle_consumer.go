package client

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxAckPending bounds the events that are being handled or wait for a retry, in all processes of one name together. It is
// far above what the processes hold, because a consumer that reaches it hands nothing out.
const maxAckPending = 20000

// handlerConsumer is the name of the durable consumer of a handler. The prefix keeps it apart from those of the services.
func handlerConsumer(name string) (string, error) {
	const longest = 64
	if name == "" || len(name) > longest {
		return "", events.Errorf(events.CodeInvalidArgument, "the name of the handler has %d bytes; it must have 1 to %d", len(name), longest)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return "", events.Errorf(events.CodeInvalidArgument, "the name of the handler has %q at byte %d; it is made of A-Z a-z 0-9 _ -", c, i)
		}
	}
	return "handler-" + name, nil
}

// ForgetHandler removes what the server keeps for a name of [Client.Handle]; the next to use it begins anew. Processes that
// still use it end with an error. A name that is not known is an error of code not_found.
func (c *Client) ForgetHandler(ctx context.Context, name string) error {
	consumer, err := handlerConsumer(name)
	if err != nil {
		return err
	}
	stream := c.subjects.StreamName(events.StreamEvents)
	apiCtx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	err = c.js.DeleteConsumer(apiCtx, stream, consumer)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return events.Errorf(events.CodeNotFound, "there is no handler %s: %w", name, err)
	case err != nil:
		return readError(ctx, stream, err)
	default:
		return nil
	}
}

// ensure makes the consumer, or makes it ask for what the handlers want. One that is right already is left alone, so that
// an operator who made it need not permit more than its use.
func (h *Handling) ensure(ctx context.Context) error {
	apiCtx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	for try := 0; ; try++ {
		err := h.createOrUpdate(apiCtx)
		// Another process came first, with a start of its own, or removed it: look again.
		if passing := errors.Is(err, jetstream.ErrConsumerExists) || errors.Is(err, jetstream.ErrConsumerDoesNotExist); passing && try < 3 {
			continue
		}
		if err != nil {
			return readError(ctx, h.stream, err)
		}
		return nil
	}
}

func (h *Handling) createOrUpdate(ctx context.Context) error {
	js := h.client.js
	found, err := js.Consumer(ctx, h.stream, h.consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		cfg := jetstream.ConsumerConfig{
			Durable: h.consumer, Description: "durable handlers of pkg/client", AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverNewPolicy,
		}
		h.configure(&cfg)
		if h.set.from != nil {
			h.set.from(&cfg)
		}
		_, err = js.CreateConsumer(ctx, h.stream, cfg)
		return err
	}
	if err != nil {
		return err
	}
	cfg := found.CachedInfo().Config
	was := cfg
	h.configure(&cfg)
	if was.AckWait == cfg.AckWait && was.MaxDeliver == cfg.MaxDeliver && was.MaxAckPending == cfg.MaxAckPending && sameFilters(was, cfg) {
		return nil
	}
	_, err = js.UpdateConsumer(ctx, h.stream, cfg)
	return err
}

// configure sets what may change over the life of a consumer.
func (h *Handling) configure(cfg *jetstream.ConsumerConfig) {
	cfg.AckWait, cfg.MaxAckPending, cfg.MaxDeliver = h.set.takeOver, maxAckPending, -1
	cfg.FilterSubject, cfg.FilterSubjects = "", nil
	for _, filter := range h.filters {
		cfg.FilterSubjects = append(cfg.FilterSubjects, h.client.subjects.Event(filter))
	}
	if len(cfg.FilterSubjects) == 1 {
		cfg.FilterSubject, cfg.FilterSubjects = cfg.FilterSubjects[0], nil // in the API's own subject then, where permissions see it
	}
}

// sameFilters reports whether two configurations ask for the same.
func sameFilters(a, b jetstream.ConsumerConfig) bool {
	list := func(c jetstream.ConsumerConfig) []string {
		if c.FilterSubject != "" {
			return []string{c.FilterSubject}
		}
		return slices.Sorted(slices.Values(c.FilterSubjects))
	}
	return slices.Equal(list(a), list(b))
}
