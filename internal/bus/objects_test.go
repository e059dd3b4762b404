package bus_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// noise is content that looks like nothing else.
func noise(size int) []byte {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(content) // which never fails
	return content
}

// pieces reads an object as far as it goes, from an offset.
func pieces(t *testing.T, o *bus.Objects, name string, offset int64) []byte {
	t.Helper()
	obj, err := o.Stat(t.Context(), name)
	require.NoError(t, err)
	var all []byte
	for {
		piece, err := o.Piece(t.Context(), obj, offset+int64(len(all)))
		require.NoError(t, err)
		if len(piece) == 0 {
			return all
		}
		all = append(all, piece...)
	}
}

func TestObjectsAreWhatWasPut(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	o := server.Connect(t, "test").Objects(events.ObjectsVectors)
	js, err := jetstream.New(server.Conn(t))
	require.NoError(t, err)
	theirs, err := js.ObjectStore(t.Context(), "mlsdm_vectors")
	require.NoError(t, err)
	chunk := int(o.ChunkSize())
	for name, size := range map[string]int{"empty": 0, "one": 1, "chunk": chunk, "more": chunk + 1, "many": 3*chunk - 5} {
		content := noise(size)
		put, err := o.Put(t.Context(), name, map[string]string{"caller": "me"}, time.Hour, iotest.OneByteReader(io.MultiReader()))
		require.NoError(t, err)
		require.Zero(t, put.Size)
		put, err = o.Put(t.Context(), name, map[string]string{"caller": "me"}, time.Hour, bytes.NewReader(content)) // in its place
		require.NoError(t, err)
		require.Equal(t, int64(size), put.Size)
		got, err := o.Stat(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, "me", got.Metadata["caller"])
		require.Equal(t, put.Digest, got.Digest)
		require.True(t, bytes.Equal(content, pieces(t, o, name, 0)), name)
		if size > chunk {
			require.True(t, bytes.Equal(content[chunk-1:], pieces(t, o, name, int64(chunk-1))), name)
		}
		read, err := theirs.GetBytes(t.Context(), name) // and checks the digest
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, read), name)

		require.NoError(t, o.Delete(t.Context(), name))
		_, err = o.Stat(t.Context(), name)
		require.ErrorIs(t, err, bus.ErrNotFound)
		require.NoError(t, o.Delete(t.Context(), name))
	}
	left, err := server.Connect(t, "left").StreamMessages(t.Context(), "OBJ_mlsdm_vectors")
	require.NoError(t, err)
	require.Zero(t, left, "an empty object has no chunks, and all others were deleted")
}

// Two who write at the same time have their chunks between each other's.
func TestObjectsThatAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	o := bustest.Start(t).Connect(t, "test").Objects(events.ObjectsVectors)
	contents := map[string][]byte{}
	var group errgroup.Group
	for i, name := range []string{"a", "b", "c"} {
		content := noise(5*int(o.ChunkSize()) + i)
		contents[name] = content
		group.Go(func() error {
			_, err := o.Put(t.Context(), name, nil, 0, bytes.NewReader(content))
			return err
		})
	}
	require.NoError(t, group.Wait())
	for name, content := range contents {
		require.True(t, bytes.Equal(content, pieces(t, o, name, 0)), name)
	}
}

func TestObjectThatCannotBeFinishedLeavesNothing(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	o := b.Objects(events.ObjectsVectors)
	broken := errors.New("the source ends")
	_, err := o.Put(t.Context(), "x", nil, 0, io.MultiReader(bytes.NewReader(noise(2*int(o.ChunkSize()))), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	_, err = o.Stat(t.Context(), "x")
	require.ErrorIs(t, err, bus.ErrNotFound)
	left, err := b.StreamMessages(t.Context(), "OBJ_mlsdm_vectors")
	require.NoError(t, err)
	require.Zero(t, left)

	_, err = o.Put(t.Context(), "", nil, 0, bytes.NewReader(nil))
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	_, err = o.Put(t.Context(), "short", nil, 0, bytes.NewReader([]byte("abc")))
	require.NoError(t, err)
	obj, err := o.Stat(t.Context(), "short")
	require.NoError(t, err)
	_, err = o.Piece(t.Context(), obj, -1)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	beyond, err := o.Piece(t.Context(), obj, 1<<40)
	require.NoError(t, err)
	require.Empty(t, beyond)
}

func TestPurgeAndStreamSubjects(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	s := b.Subjects()
	for _, number := range []string{"0", "1", "2"} {
		for _, id := range []string{"mine", "other"} {
			_, err := b.Publish(t.Context(), bus.Msg{Subject: s.Part("", id, number)})
			require.NoError(t, err)
		}
	}
	stream := s.StreamName(events.StreamParts)
	found, err := b.StreamSubjects(t.Context(), stream, s.Part("", "mine", "*"))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"mlsdm.parts.default.mine.0", "mlsdm.parts.default.mine.1", "mlsdm.parts.default.mine.2"}, found)
	purged, err := b.Purge(t.Context(), stream, s.Part("", "mine", "*"))
	require.NoError(t, err)
	require.EqualValues(t, 3, purged)
	found, err = b.StreamSubjects(t.Context(), stream, s.Part("", "*", "*"))
	require.NoError(t, err)
	require.Len(t, found, 3)
	found, err = b.StreamSubjects(t.Context(), stream, s.Part("", "mine", "*"))
	require.NoError(t, err)
	require.Empty(t, found)
	_, err = b.Purge(t.Context(), "NOBODYS", ">")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
}
