package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// PeekConfig says what of a stream is looked at.
type PeekConfig struct {
	// Stream is its name, as [events.Subjects.StreamName] gives it. It may be a work queue.
	Stream string
	// Subject is the subject to look at, which may have wildcards; empty is all.
	Subject string
	// FromSequence is the first sequence to look at; 0 is the start of the stream.
	FromSequence uint64
	// Most is how many messages are wanted, so that no more are read; 0 is no bound.
	Most int
}

// How many messages, and bytes of them, are asked for at a time.
const (
	peekBatch = 256
	peekBytes = 8 << 20
)

// Headers of messages that are peeked at (ADR-31).
const (
	headerPeekSubject  = "Nats-Subject"
	headerPeekSequence = "Nats-Sequence"
	headerPeekTime     = "Nats-Time-Stamp"
	headerPeekPending  = "Nats-Num-Pending"
)

// Peek calls visit with the messages of a stream, in their order, until visit says that it wants no more, or the stream ends. Unlike
// [Bus.Scan] it makes no consumer, and can look at what lies in a work queue: nothing is taken away. It asks any replica of the stream,
// which may not have yet what was stored a moment ago.
//
// It returns the error of visit or of ctx, failed_precondition when there is no such stream, or one that does not allow it, and
// unavailable when the server does not answer.
func (b *Bus) Peek(ctx context.Context, cfg PeekConfig, visit func(*Message) (more bool, err error)) error {
	subject, next := cfg.Subject, max(cfg.FromSequence, 1)
	if subject == "" {
		subject = ">"
	}
	size, seen := peekBatch, 0
	if cfg.Most > 0 {
		size = min(size, cfg.Most)
	}
	for {
		batch, left, err := b.peekBatch(ctx, cfg.Stream, peekQuery{Sequence: next, Next: subject, Batch: size, MaxBytes: peekBytes})
		if err != nil {
			return fmt.Errorf("looking into %s: %w", cfg.Stream, err)
		}
		for _, m := range batch {
			if more, err := visit(m); err != nil || !more {
				return err
			}
			next = m.Sequence + 1
			seen++
		}
		if len(batch) == 0 || left == 0 || seen == cfg.Most {
			return nil
		}
	}
}

// peekQuery is the request of a batch (ADR-31).
type peekQuery struct {
	Sequence uint64 `json:"seq"`
	Next     string `json:"next_by_subj"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

// peekBatch asks for some messages; left is how many follow.
func (b *Bus) peekBatch(ctx context.Context, stream string, q peekQuery) (batch []*Message, left uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	query, err := json.Marshal(q)
	if err != nil {
		return nil, 0, err
	}
	inbox := b.nc.NewInbox()
	answers := make(chan *nats.Msg, peekBatch+1)
	sub, err := b.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, 0, readError("asking", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // a connection that is closed has no subscriptions
	if err := b.nc.PublishRequest(b.api+"DIRECT.GET."+stream, inbox, query); err != nil {
		return nil, 0, readError("asking", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil, 0, readError("asking", ctx.Err())
		case msg := <-answers:
			switch status := msg.Header.Get("Status"); status {
			case "":
			case "204": // the end of the batch
				left, err := strconv.ParseUint(msg.Header.Get(headerPeekPending), 10, 64)
				return batch, left, err
			case "404": // the end of the stream
				return batch, 0, nil
			case "503":
				return nil, 0, events.Errorf(events.CodeFailedPrecondition, "there is no such stream, or it does not allow direct reads: run `mlsdmctl provision`")
			default:
				return nil, 0, events.Errorf(events.CodeUnavailable, "the server answers %s %s", status, msg.Header.Get("Description"))
			}
			m, err := peeked(stream, msg)
			if err != nil {
				return nil, 0, err
			}
			batch = append(batch, m)
		}
	}
}

// errPeeked is a message without what the server adds to one.
var errPeeked = errors.New("the server's answer is no message of a stream")

// peeked reads a message that the server read for us.
func peeked(stream string, msg *nats.Msg) (*Message, error) {
	seq, err := strconv.ParseUint(lastHeader(msg.Header, headerPeekSequence), 10, 64)
	if err != nil {
		return nil, errPeeked
	}
	at, err := time.Parse(time.RFC3339Nano, lastHeader(msg.Header, headerPeekTime))
	if err != nil {
		return nil, errPeeked
	}
	return &Message{
		Subject: lastHeader(msg.Header, headerPeekSubject), Header: msg.Header, Body: msg.Data, Stream: stream, Sequence: seq, Time: at,
	}, nil
}

// lastHeader is the last value of a header: that of the server, which adds its own behind what a publisher wrote.
func lastHeader(header nats.Header, name string) string {
	values := header[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
