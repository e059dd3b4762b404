package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Sizes and times of snapshots: a chunk, how many bytes may be on their way, and how long the server may say nothing.
const (
	snapshotChunk   = 128 << 10
	snapshotWindow  = 4 << 20
	snapshotSilence = 30 * time.Second
	restoreSilence  = 2 * time.Minute // the server rebuilds its index before it answers the last chunk
)

// RestoreGivenUp is how long a server waits at most for the next part of a stream that is being restored (5 s in 2.15), and some more. What
// is done to the stream before that goes wrong.
const RestoreGivenUp = 7 * time.Second

// SnapshotState says how much a stream holds, and where.
type SnapshotState struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
}

// Snapshot is what the server says of a snapshot of a stream: its configuration in the server's own words, of which nothing is
// lost that this program does not know, and what it held at that moment.
type Snapshot struct {
	Config json.RawMessage
	State  SnapshotState
}

// snapshotReply is the server's answer to who asks for a snapshot or for a restore.
type snapshotReply struct {
	Error   *jetstream.APIError `json:"error"`
	Config  json.RawMessage     `json:"config"`
	State   SnapshotState       `json:"state"`
	Deliver string              `json:"deliver_subject"`
}

// SnapshotStream writes a snapshot of a stream as it is now, with its consumers and their positions, to w: a compressed archive that
// [Bus.RestoreStream] reads. It holds at most a window of chunks in memory. A chunk that was lost, or a connection that broke, is an
// error: then what was written is of no use.
func (b *Bus) SnapshotStream(ctx context.Context, stream string, w io.Writer) (Snapshot, error) {
	taken, err := b.snapshot(ctx, stream, w)
	if err != nil {
		return Snapshot{}, fmt.Errorf("snapshot of the stream %s: %w", stream, err)
	}
	return taken, nil
}

func (b *Bus) snapshot(ctx context.Context, stream string, w io.Writer) (Snapshot, error) {
	broken := make(chan struct{}, 1)
	defer b.afterReconnect(func() {
		select {
		case broken <- struct{}{}:
		default:
		}
	})()
	to := b.nc.NewInbox()
	chunks := make(chan *nats.Msg, snapshotWindow/snapshotChunk*2)
	sub, err := b.nc.ChanSubscribe(to, chunks)
	if err != nil {
		return Snapshot{}, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection that has gone has no subscription either
	taken, err := b.askSnapshot(ctx, "STREAM.SNAPSHOT."+stream, map[string]any{
		"deliver_subject": to, "chunk_size": snapshotChunk, "window_size": snapshotWindow, "jsck": true,
	})
	if err != nil {
		return Snapshot{}, err
	}
	silence := time.NewTimer(snapshotSilence)
	defer silence.Stop()
	for index := 1; ; {
		select {
		case <-ctx.Done():
			return Snapshot{}, context.Cause(ctx)
		case <-broken:
			return Snapshot{}, events.Errorf(events.CodeUnavailable, "the connection to nats broke meanwhile")
		case <-silence.C:
			return Snapshot{}, events.Errorf(events.CodeUnavailable, "the server has sent nothing for %s", snapshotSilence)
		case m := <-chunks:
			silence.Reset(snapshotSilence)
			if len(m.Data) == 0 {
				return Snapshot{Config: taken.Config, State: taken.State}, snapshotEnd(m)
			}
			if m.Reply != "" { // all but the last say which they are
				if at := m.Reply[strings.LastIndexByte(m.Reply, '.')+1:]; at != strconv.Itoa(index) {
					return Snapshot{}, fmt.Errorf("chunk %d was lost: the server sent %s", index, at)
				}
				index++
			}
			if _, err := w.Write(m.Data); err != nil {
				return Snapshot{}, err
			}
			if m.Reply != "" {
				if err := b.nc.Publish(m.Reply, nil); err != nil {
					return Snapshot{}, err
				}
			}
		}
	}
}

// snapshotEnd reads the last message of a snapshot, which says why it ends.
func snapshotEnd(m *nats.Msg) error {
	if status := m.Header.Get("Status"); status != "" && status != "204" {
		return fmt.Errorf("the server gave up: %s %s", status, m.Header.Get("Description"))
	}
	return nil
}

// RestoreStream makes a stream from what [Bus.SnapshotStream] wrote, under its name there, with all messages at their sequences and
// the consumers at their positions. There must be no stream of that name. It returns what the stream holds. When it fails, or this program
// is killed, a part of the stream may stay: servers since 2.15 make it before they have all of it, and give up [RestoreGivenUp] later.
func (b *Bus) RestoreStream(ctx context.Context, stream string, from Snapshot, r io.Reader) (SnapshotState, error) {
	state, err := b.restore(ctx, stream, from, r)
	if err != nil {
		return SnapshotState{}, fmt.Errorf("restoring the stream %s: %w", stream, err)
	}
	return state, nil
}

func (b *Bus) restore(ctx context.Context, stream string, from Snapshot, r io.Reader) (SnapshotState, error) {
	answer, err := b.askSnapshot(ctx, "STREAM.RESTORE."+stream, map[string]any{"config": from.Config, "state": from.State})
	if err != nil {
		return SnapshotState{}, err
	}
	buffer := make([]byte, snapshotChunk)
	for {
		n, err := io.ReadFull(r, buffer)
		if n > 0 {
			if _, err := b.restoreChunk(ctx, answer.Deliver, buffer[:n]); err != nil {
				return SnapshotState{}, err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			done, err := b.restoreChunk(ctx, answer.Deliver, nil)
			return done.State, err
		case err != nil:
			return SnapshotState{}, err
		}
	}
}

// UpdateStreamConfig gives a stream a configuration, in the server's own words.
func (b *Bus) UpdateStreamConfig(ctx context.Context, stream string, config json.RawMessage) error {
	if _, err := b.askSnapshot(ctx, "STREAM.UPDATE."+stream, config); err != nil {
		return fmt.Errorf("updating the stream %s: %w", stream, err)
	}
	return nil
}

// restoreChunk sends a part of a snapshot, and waits until the server has taken it; an empty one is the end.
func (b *Bus) restoreChunk(ctx context.Context, to string, chunk []byte) (snapshotReply, error) {
	ctx, cancel := context.WithTimeout(ctx, restoreSilence)
	defer cancel()
	m, err := b.nc.RequestWithContext(ctx, to, chunk)
	if err != nil {
		return snapshotReply{}, readError("sending the snapshot", err)
	}
	var answer snapshotReply
	if len(m.Data) > 0 {
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return snapshotReply{}, fmt.Errorf("the server's answer: %w", err)
		}
	}
	if answer.Error != nil {
		return snapshotReply{}, answer.Error
	}
	if len(chunk) == 0 && len(m.Data) == 0 {
		return snapshotReply{}, errors.New("the server did not say what it made of the snapshot")
	}
	return answer, nil
}

// askSnapshot asks JetStream's API.
func (b *Bus) askSnapshot(ctx context.Context, verb string, request any) (snapshotReply, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotSilence)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return snapshotReply{}, err
	}
	m, err := b.nc.RequestWithContext(ctx, b.api+verb, body)
	if err != nil {
		return snapshotReply{}, readError("asking", err)
	}
	var answer snapshotReply
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return snapshotReply{}, fmt.Errorf("the server's answer: %w", err)
	}
	if answer.Error != nil {
		return snapshotReply{}, answer.Error
	}
	return answer, nil
}

// SnapshotStateOf returns what a stream holds and the metadata of its configuration; found is false when there is none.
func (b *Bus) SnapshotStateOf(ctx context.Context, stream string) (state SnapshotState, metadata map[string]string, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return SnapshotState{}, nil, false, nil
	}
	if err != nil {
		return SnapshotState{}, nil, false, assetError("stream", stream, err)
	}
	info := s.CachedInfo()
	return SnapshotState{Messages: info.State.Msgs, Bytes: info.State.Bytes, FirstSeq: info.State.FirstSeq, LastSeq: info.State.LastSeq}, info.Config.Metadata, true, nil
}

// DeleteStream deletes a stream with all that it holds. That there is none is no error.
func (b *Bus) DeleteStream(ctx context.Context, stream string) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := b.js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return assetError("stream", stream, err)
	}
	return nil
}
