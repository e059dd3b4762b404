package client

import (
	"context"
	"encoding/json"
	"iter"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// KeptChunk is a chunk of a durable request's answer.
type KeptChunk struct {
	events.ChatChunk

	// Attempt counts how often the answer was begun. When it has grown, what came before is void: the work was cut short, by a
	// crash or a failure that passed, and was begun anew.
	Attempt int
}

// Attach reads the answer to a durable request that was submitted with Stream, from its beginning, however far it is: what is
// there already comes at once, the rest as the model goes. An error is the last thing that the loop gets; without one the
// answer is complete. It may be called from anywhere, any number of times, before the request is submitted and for as long as
// its result is kept. Leaving the loop changes nothing for the request.
//
// It waits as long as ctx lets it: for a request that does not stream, that is for ever. When the beginning is not kept any
// more, the error is of code not_found.
func (c *Client) Attach(ctx context.Context, id string) iter.Seq2[KeptChunk, error] {
	return func(yield func(KeptChunk, error) bool) {
		if err := c.attach(ctx, id, func(chunk KeptChunk) bool { return yield(chunk, nil) }); err != nil {
			yield(KeptChunk{}, err)
		}
	}
}

// attach hands every chunk to take until take has enough.
func (c *Client) attach(ctx context.Context, id string, take func(KeptChunk) bool) error {
	if err := events.CheckToken("request id", id); err != nil {
		return err
	}
	r := keptReader{subject: c.subjects.Chunks(c.caller, id), take: take}
	messages := &reader{client: c, stream: c.subjects.StreamName(events.StreamChunks), filters: []string{r.subject}, from: fromBeginning}
	return messages.read(ctx, r.read)
}

// keptReader reads kept chunks. They may be stored twice, and one behind the next, where a service reconnected: it puts them in
// their order.
type keptReader struct {
	subject string
	take    func(KeptChunk) bool
	attempt int
	next    uint64
	early   map[uint64]jetstream.Msg // that came before those that belong before them
}

// maxEarly bounds what comes before its time: a service has fewer on their way.
const maxEarly = 1024

// read handles one message, and returns [errEnough] after the last.
func (r *keptReader) read(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
	attempt, err := strconv.Atoi(events.HeaderValue(m.Headers(), events.HeaderAttempt))
	sequence, numbered := sequenceOf(m.Headers())
	if err != nil || !numbered {
		return events.Errorf(events.CodeInternal, "a message on %s has no place in a stream", r.subject)
	}
	if attempt > r.attempt {
		r.attempt, r.next, r.early = attempt, 1, make(map[uint64]jetstream.Msg)
	}
	if attempt < r.attempt || sequence < r.next { // of an attempt that was given up, or a second time
		return nil
	}
	if r.early[sequence] = m; len(r.early) > maxEarly {
		return events.Errorf(events.CodeNotFound, "chunk %d on %s is not kept any more", r.next, r.subject)
	}
	for {
		next, here := r.early[r.next]
		if !here {
			if isEnd(m) && sequence > r.next && meta.NumPending == 0 { // a service ends a stream when all of it is stored
				return events.Errorf(events.CodeNotFound, "chunk %d on %s is not kept any more", r.next, r.subject)
			}
			return nil
		}
		delete(r.early, r.next)
		r.next++
		if err := r.give(next, meta.NumPending == 0); err != nil {
			return err
		}
	}
}

// isEnd reports whether a message ends an attempt.
func isEnd(m jetstream.Msg) bool {
	return len(m.Data()) == 0 || events.HeaderValue(m.Headers(), events.HeaderErrorCode) != ""
}

// give hands on what is in its turn. An end behind which there is more is that of an earlier attempt.
func (r *keptReader) give(m jetstream.Msg, last bool) error {
	failure := events.DecodeError(m.Headers(), m.Data())
	switch {
	case isEnd(m) && !last:
		return nil
	case failure != nil:
		return failure
	case len(m.Data()) == 0:
		return errEnough
	}
	chunk := KeptChunk{Attempt: r.attempt}
	if err := json.Unmarshal(m.Data(), &chunk.ChatChunk); err != nil {
		return events.Errorf(events.CodeInternal, "a chunk on %s cannot be read: %w", r.subject, err)
	}
	if !r.take(chunk) {
		return errEnough
	}
	return nil
}
