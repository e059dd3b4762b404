package door

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// chunksOnTheirWay is how many chunks of one request may be on their way to their stream.
const chunksOnTheirWay = 64

// chunks keeps the answer to a durable request as it is made. It never fails the request: what was paid for is kept as the
// result, and readers of chunks then get it in one piece.
type chunks struct {
	doors   *Doors
	request *request

	writer   *bus.Writer
	attempt  int
	sequence uint64
	broken   error // why no more chunks are kept
}

// streamed reports whether a request asks for a stream.
func streamed(body []byte) bool {
	if !bytes.Contains(body, []byte(`"stream"`)) {
		return false
	}
	var asked struct {
		Stream bool `json:"stream"`
	}
	return json.Unmarshal(body, &asked) == nil && asked.Stream
}

// send keeps one chunk. Its only error is that of ctx.
func (c *chunks) send(ctx context.Context, chunk []byte) error {
	if c.writer == nil && c.broken == nil {
		c.writer = c.doors.bus.NewWriter(chunksOnTheirWay)
		last, err := c.last(ctx)
		c.attempt, c.broken = max(last.attempt+1, c.request.Attempt), err
	}
	if c.broken == nil {
		c.sequence++
		c.broken = c.writer.Write(ctx, c.message(c.attempt, c.sequence, map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}, chunk))
	}
	return ctx.Err()
}

// settle waits until all chunks of an attempt are kept, so that none comes behind those of the next.
func (c *chunks) settle(ctx context.Context) {
	if c.writer == nil {
		return
	}
	if err := c.writer.Flush(context.WithoutCancel(ctx)); err != nil && c.broken == nil {
		c.broken = err
	}
	if c.broken != nil && ctx.Err() == nil {
		c.doors.log.WarnContext(ctx, "chunks of a durable request could not be kept; its readers get the answer in one piece",
			"request_id", c.request.id, "err", c.broken)
	}
}

// message is one message of the kept stream.
func (c *chunks) message(attempt int, sequence uint64, header map[string][]string, body []byte) bus.Msg {
	r, place := c.request, strconv.FormatUint(sequence, 10)
	header[events.HeaderRequestID] = []string{r.id}
	header[events.HeaderAttempt] = []string{strconv.Itoa(attempt)}
	header[events.HeaderSequence] = []string{place}
	// No chunk goes before the result does.
	header[events.HeaderMsgTTL] = []string{seconds(r.ttl + c.doors.opts.Timeout)}
	return bus.Msg{
		Subject: c.doors.bus.Subjects().Chunks(r.call.Caller, r.id),
		ID:      "chunk-" + r.Stream + "-" + r.origin() + "-" + strconv.Itoa(attempt) + "-" + place,
		Header:  header, GiveHeader: true, Body: body,
	}
}

// kept is the last message of a kept stream.
type kept struct {
	attempt int
	ended   bool // for good: with an answer, or with a failure that does not pass
	origin  string
}

// last looks at the last message that is kept; the zero value is none.
func (c *chunks) last(ctx context.Context) (kept, error) {
	s := c.doors.bus.Subjects()
	m, err := c.doors.bus.LastOn(ctx, s.StreamName(events.StreamChunks), s.Chunks(c.request.call.Caller, c.request.id))
	if errors.Is(err, bus.ErrNotFound) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, err
	}
	k := kept{origin: events.HeaderValue(m.Header, events.HeaderRequestOrigin)}
	if k.attempt, err = strconv.Atoi(events.HeaderValue(m.Header, events.HeaderAttempt)); err != nil {
		return kept{}, fmt.Errorf("the header %s of message %d of %s: %w", events.HeaderAttempt, m.Sequence, m.Stream, err)
	}
	failure := events.DecodeError(m.Header, m.Body)
	k.ended = len(m.Body) == 0 || failure != nil && !failure.Retryable
	return k, nil
}

// endChunks ends the kept stream of a request whose result is stored. It does nothing for one that has none, or whose stream
// has ended before: it is called again when a replica did not live to do it. Again says that the result is that of an earlier
// request, whose chunks will do if they are there.
func (d *Doors) endChunks(ctx context.Context, r *request, body []byte, failure error, again bool) error {
	c := r.chunks
	if c == nil {
		return nil
	}
	if c.writer == nil || c.broken != nil { // by another replica, or not at all, or not whole
		last, err := c.last(ctx)
		if err != nil {
			return err
		}
		if last.origin == r.origin() || again && last.ended {
			return nil
		}
		c.writer, c.attempt, c.sequence, c.broken = d.bus.NewWriter(chunksOnTheirWay), last.attempt+1, 0, nil
		if failure == nil {
			if err := c.replay(ctx, body); err != nil {
				return err
			}
		}
	}
	end := bus.StreamEnd{Sequence: c.sequence + 1, Reason: r.call.FinishReason, Usage: r.call.usage()}
	if failure != nil {
		end = d.failed(r, failure)
		end.Sequence = c.sequence + 1
	}
	header, text := end.Encode(int64(r.call.Limit))
	header[events.HeaderRequestOrigin] = []string{r.origin()}
	if err := c.writer.Write(ctx, c.message(c.attempt, end.Sequence, header, text)); err != nil {
		return fmt.Errorf("the end of the chunks of request %s: %w", r.id, err)
	}
	if err := c.writer.Flush(ctx); err != nil {
		return fmt.Errorf("the end of the chunks of request %s: %w", r.id, err)
	}
	return nil
}

// replay keeps a whole answer as one chunk. What cannot be one is left to those who read the result.
func (c *chunks) replay(ctx context.Context, body []byte) error {
	call := c.request.call
	var whole events.ChatResponse
	if err := json.Unmarshal(body, &whole); err != nil {
		c.doors.log.WarnContext(ctx, "a result cannot be given to readers of chunks", "request_id", c.request.id, "err", err)
		return nil
	}
	call.Usage = whole.Usage
	chunk := events.ChatChunk{ID: whole.ID, Object: events.ObjectChatCompletionChunk, Created: whole.Created, Model: whole.Model}
	for _, choice := range whole.Choices {
		call.FinishReason = choice.FinishReason
		chunk.Choices = append(chunk.Choices, events.ChatChunkChoice{Index: choice.Index, FinishReason: &choice.FinishReason, Delta: events.ChatDelta{
			Role: choice.Message.Role, Content: choice.Message.Content.Text, Refusal: choice.Message.Refusal, ToolCalls: choice.Message.ToolCalls,
		}})
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // which could make it six times as long
	if err := encoder.Encode(chunk); err != nil || text.Len() > call.Limit {
		c.doors.log.WarnContext(ctx, "a result cannot be given to readers of chunks", "request_id", c.request.id, "bytes", text.Len(), "err", err)
		return nil
	}
	c.sequence++
	header := map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}
	return c.writer.Write(ctx, c.message(c.attempt, c.sequence, header, bytes.TrimSpace(text.Bytes())))
}
