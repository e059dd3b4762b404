package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StoredMessage returns one message of a stream. Its error wraps [ErrNotFound] when the stream does not have it (any more).
func (b *Bus) StoredMessage(ctx context.Context, stream string, seq uint64) (*Message, error) {
	if seq == 0 { // for the server that is the absence of a sequence
		return nil, fmt.Errorf("message 0 of %s: %w", stream, ErrNotFound)
	}
	began := b.clock()
	m, err := b.stored(ctx, stream, storedQuery{Sequence: seq})
	b.receives(ctx, began, stream, 1, err)
	if err != nil {
		return nil, fmt.Errorf("message %d of %s: %w", seq, stream, err)
	}
	return m, nil
}

// LastOn returns the last message of a stream on a subject. Its error wraps [ErrNotFound] when there is none.
func (b *Bus) LastOn(ctx context.Context, stream, subject string) (*Message, error) {
	began := b.clock()
	m, err := b.stored(ctx, stream, storedQuery{Last: subject})
	b.receives(ctx, began, stream, 1, err)
	if err != nil {
		return nil, fmt.Errorf("the last message of %s on %s: %w", stream, subject, err)
	}
	return m, nil
}

// storedQuery chooses one message of a stream: by its sequence, or as the last on a subject.
type storedQuery struct {
	Sequence uint64 `json:"seq,omitempty"`
	Last     string `json:"last_by_subj,omitempty"`
}

// stored asks the leader of a stream for a message. Its other replicas would answer too (the client library asks any of
// them), but they may not have yet what was written a moment ago.
func (b *Bus) stored(ctx context.Context, stream string, query storedQuery) (*Message, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout) // who has hours for their work does not have them for one answer
	defer cancel()
	body, err := json.Marshal(query)
	if err != nil {
		return nil, err
	}
	answer, err := b.nc.RequestWithContext(ctx, b.api+"STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, readError("reading", err)
	}
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return nil, fmt.Errorf("the server's answer: %w", err)
	}
	if got.Error != nil {
		if got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, ErrNotFound
		}
		return nil, readError("reading", got.Error)
	}
	m := &Message{Subject: got.Message.Subject, Body: got.Message.Data, Stream: stream, Sequence: got.Message.Sequence, Time: got.Message.Time}
	if len(got.Message.Header) > 0 {
		if m.Header, err = nats.DecodeHeadersMsg(got.Message.Header); err != nil {
			return nil, fmt.Errorf("its header: %w", err)
		}
	}
	return m, nil
}
