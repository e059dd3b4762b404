package bus

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Objects is one object store. What it writes, any NATS client can read. Unlike the client library's, it asks for no right to make
// a consumer, needs memory for one chunk only, and reads from the middle.
type Objects struct {
	bus   *Bus
	store string
}

// Object describes one object.
type Object struct {
	Name string
	// Size is that of the content in bytes, Digest its SHA-256 as the object store writes it: "SHA-256=" and base64url.
	Size   int64
	Digest string
	// Metadata is whatever its writer said about it.
	Metadata map[string]string

	nuid  string
	chunk int64 // size of every chunk but the last
	runs  []run
}

// run is a row of chunks without another's between them.
type run struct {
	First uint64 `json:"first"` // sequence
	Count uint64 `json:"count"`
}

// metaRuns is the metadatum that tells where the chunks are.
const metaRuns = "mlsdm-runs"

// Sizes of chunks: the largest, and what a message has beside one that is read, in base64.
const (
	maxChunk      = 2 << 20
	chunkOverhead = 8 << 10
)

// Objects opens an object store of the catalogue by its name there, for example [events.ObjectsVectors].
func (b *Bus) Objects(store string) *Objects {
	return &Objects{bus: b, store: b.subjects.BucketName(store)}
}

// ChunkSize is the size of the chunks of new objects in bytes: what one reply can carry in base64, at most 2 MiB.
func (o *Objects) ChunkSize() int64 {
	return max(min((o.bus.MaxPayload()-chunkOverhead)/4*3, maxChunk), 1<<10)
}

// Put writes an object from content to its end. It is there when Put returns, and not before: a failure leaves nothing that anybody
// sees. It is kept for ttl, or for as long as the store keeps anything if that is 0. An object of the same name is replaced; what it
// had is left to its age. The error is that of content, or an [events.Error].
func (o *Objects) Put(ctx context.Context, name string, metadata map[string]string, ttl time.Duration, content io.Reader) (Object, error) {
	if name == "" {
		return Object{}, events.Errorf(events.CodeInvalidArgument, "an object needs a name")
	}
	obj := Object{Name: name, nuid: rand.Text(), chunk: o.ChunkSize(), Metadata: make(map[string]string, len(metadata)+1)}
	maps.Copy(obj.Metadata, metadata)
	began := o.bus.clock()
	chunks, err := o.putChunks(ctx, &obj, ttl, content)
	if err == nil {
		err = o.describe(ctx, &obj, ttl, chunks)
	}
	o.bus.stores(ctx, began, "put", o.store, err)
	if err == nil {
		return obj, nil
	}
	// What is left goes with its age otherwise.
	if _, left := o.bus.Purge(context.WithoutCancel(ctx), objectStream(o.store), objectChunks(o.store, obj.nuid)); left != nil {
		o.bus.log.WarnContext(ctx, "the pieces of an object that was not finished stay for a while", "store", o.store, "object", name, "err", left)
	}
	return Object{}, fmt.Errorf("writing the object %s to %s: %w", name, o.store, err)
}

// putChunks writes the content.
func (o *Objects) putChunks(ctx context.Context, obj *Object, ttl time.Duration, content io.Reader) (chunks uint32, err error) {
	digest := sha256.New()
	buffer := make([]byte, obj.chunk)
	for {
		n, err := io.ReadFull(content, buffer)
		if n > 0 {
			digest.Write(buffer[:n])
			chunks++
			ack, err := o.bus.publishUnseen(ctx, Msg{
				Subject: objectChunks(o.store, obj.nuid), ID: "object-" + obj.nuid + "-" + strconv.FormatUint(uint64(chunks), 10),
				Header: ttlHeader(ttl), Body: buffer[:n],
			})
			if err != nil {
				return 0, err
			}
			obj.add(ack.Sequence)
			obj.Size += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			obj.Digest = "SHA-256=" + base64.URLEncoding.EncodeToString(digest.Sum(nil))
			return chunks, nil
		case err != nil:
			return 0, err
		}
	}
}

// add books a chunk.
func (obj *Object) add(sequence uint64) {
	if n := len(obj.runs); n > 0 && obj.runs[n-1].First+obj.runs[n-1].Count == sequence {
		obj.runs[n-1].Count++
		return
	}
	obj.runs = append(obj.runs, run{First: sequence, Count: 1})
}

// describe makes an object visible whose chunks are there.
func (o *Objects) describe(ctx context.Context, obj *Object, ttl time.Duration, chunks uint32) error {
	where, err := json.Marshal(obj.runs)
	if err != nil {
		return err
	}
	obj.Metadata[metaRuns] = string(where)
	info := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: obj.Name, Metadata: obj.Metadata, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(obj.chunk)}}, //nolint:gosec // at most maxChunk
		Bucket:     o.store, NUID: obj.nuid, Size: uint64(obj.Size), ModTime: time.Now().UTC(), Chunks: chunks, Digest: obj.Digest,                 //nolint:gosec // a sum of lengths
	}
	body, err := json.Marshal(info)
	if err != nil {
		return err
	}
	header := ttlHeader(ttl)
	header[jetstream.MsgRollup] = []string{jetstream.MsgRollupSubject}
	_, err = o.bus.publishUnseen(ctx, Msg{Subject: o.meta(obj.Name), ID: "object-" + obj.nuid, Header: header, Body: body})
	return err
}

// ttlHeader is the header that limits a message's life; 0 is no limit.
func ttlHeader(ttl time.Duration) map[string][]string {
	header := make(map[string][]string)
	if ttl > 0 {
		header[events.HeaderMsgTTL] = []string{strconv.FormatInt(max(int64(ttl.Seconds()), 1), 10) + "s"}
	}
	return header
}

// meta is where an object is described.
func (o *Objects) meta(name string) string {
	return objectMeta(o.store, base64.URLEncoding.EncodeToString([]byte(name)))
}

// Stat describes an object. The error wraps [ErrNotFound] when there is none of the name.
func (o *Objects) Stat(ctx context.Context, name string) (Object, error) {
	began := o.bus.clock()
	m, err := o.bus.stored(ctx, objectStream(o.store), storedQuery{Last: o.meta(name)})
	o.bus.stores(ctx, began, "stat", o.store, err)
	if err != nil {
		return Object{}, fmt.Errorf("object %s of %s: %w", name, o.store, err)
	}
	var info jetstream.ObjectInfo
	if err := json.Unmarshal(m.Body, &info); err != nil {
		return Object{}, fmt.Errorf("object %s of %s cannot be read: %w", name, o.store, err)
	}
	if info.Deleted {
		return Object{}, fmt.Errorf("object %s of %s: %w", name, o.store, ErrNotFound)
	}
	obj := Object{Name: info.Name, Size: int64(info.Size), Digest: info.Digest, Metadata: info.Metadata, nuid: info.NUID} //nolint:gosec // as it was written
	if info.Opts != nil {
		obj.chunk = int64(info.Opts.ChunkSize)
	}
	if err := json.Unmarshal([]byte(info.Metadata[metaRuns]), &obj.runs); err != nil && info.Size > 0 {
		return Object{}, fmt.Errorf("object %s of %s was not written by this program: %w", name, o.store, err)
	}
	delete(obj.Metadata, metaRuns)
	return obj, nil
}

// Piece returns what an object has from an offset to the end of the chunk in which that lies: some bytes, or none at or behind the
// object's end. The error wraps [ErrNotFound] when the object has gone meanwhile.
func (o *Objects) Piece(ctx context.Context, obj Object, offset int64) ([]byte, error) {
	if offset < 0 {
		return nil, events.Errorf(events.CodeInvalidArgument, "offset is %d; it must be 0 or more", offset)
	}
	if offset >= obj.Size || obj.chunk <= 0 {
		return nil, nil
	}
	sequence, found := obj.sequence(uint64(offset / obj.chunk)) //nolint:gosec // not negative
	if !found {
		return nil, fmt.Errorf("object %s of %s has no chunk at %d", obj.Name, o.store, offset)
	}
	began := o.bus.clock()
	m, err := o.bus.stored(ctx, objectStream(o.store), storedQuery{Sequence: sequence})
	o.bus.stores(ctx, began, "get", o.store, err)
	if err != nil {
		return nil, fmt.Errorf("object %s of %s at %d: %w", obj.Name, o.store, offset, err)
	}
	within := offset % obj.chunk
	if m.Subject != objectChunks(o.store, obj.nuid) || within >= int64(len(m.Body)) {
		return nil, fmt.Errorf("object %s of %s has something else at %d", obj.Name, o.store, offset)
	}
	return m.Body[within:], nil
}

// sequence finds a chunk by its number.
func (obj *Object) sequence(chunk uint64) (uint64, bool) {
	for _, r := range obj.runs {
		if chunk < r.Count {
			return r.First + chunk, true
		}
		chunk -= r.Count
	}
	return 0, false
}

// Delete removes an object; that there is none of the name is no error.
func (o *Objects) Delete(ctx context.Context, name string) error {
	obj, err := o.Stat(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, subject := range []string{o.meta(name), objectChunks(o.store, obj.nuid)} { // nobody finds what is half gone
		began := o.bus.clock()
		_, err := o.bus.Purge(ctx, objectStream(o.store), subject)
		o.bus.stores(ctx, began, "delete", o.store, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// StreamSubjects returns the subjects that match a filter and on which a stream has messages.
func (b *Bus) StreamSubjects(ctx context.Context, stream, filter string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	what := "listing " + filter + " of " + stream
	handle, err := b.js.Stream(ctx, stream)
	if err != nil {
		return nil, readError(what, err)
	}
	info, err := handle.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, readError(what, err)
	}
	subjects := make([]string, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		subjects = append(subjects, subject)
	}
	return subjects, nil
}
