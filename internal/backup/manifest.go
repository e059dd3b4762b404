package backup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// format is the version of what a backup looks like; a program refuses those that are newer than it.
const format = 1

// Bounds of a manifest, and its name.
const (
	manifestName = "manifest.json"
	maxManifest  = 4 << 20
)

// Errors of a backup that cannot be used.
var (
	// ErrDamaged is wrapped when a file is not what the manifest says.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrUnfinished is wrapped when a backup was interrupted and not finished since.
	ErrUnfinished = errors.New("the backup is not finished")
)

// Manifest describes a backup.
type Manifest struct {
	Format int `json:"format"`
	// ID tells this backup from all others.
	ID string `json:"id"`
	// Version is that of the program, Server that of the NATS server.
	Version  string    `json:"version"`
	Server   string    `json:"server"`
	Prefix   string    `json:"prefix"`
	Began    time.Time `json:"began"`
	Finished time.Time `json:"finished,omitzero"`
	Assets   []Asset   `json:"assets"`
}

// Asset is one stream of a backup; KV buckets and object stores are streams too.
type Asset struct {
	Stream string            `json:"stream"`
	Config json.RawMessage   `json:"config"`
	State  bus.SnapshotState `json:"state"`
	// Size is that of the file in bytes, SHA256 its hash in hex.
	Size   int64     `json:"size"`
	SHA256 string    `json:"sha256"`
	Taken  time.Time `json:"taken"`
}

// file is where an asset lies in the folder.
func (a Asset) file() string { return a.Stream + ".snapshot" }

// order returns the streams of an installation in the order in which they are taken: where work comes from before where it goes.
func order(s events.Subjects) []string {
	first := []string{
		s.StreamName(events.StreamSightings), "KV_" + s.BucketName(events.BucketCI), s.StreamName(events.StreamRequests),
		s.StreamName(events.StreamEvents), s.StreamName(events.StreamDeliveries), s.StreamName(events.StreamWaiting),
	}
	all := slices.Clone(first)
	add := func(name string) {
		if !slices.Contains(first, name) {
			all = append(all, name)
		}
	}
	for _, stream := range events.Streams() {
		add(s.StreamName(stream.Name))
	}
	for _, bucket := range events.Buckets() {
		add("KV_" + s.BucketName(bucket.Name))
	}
	for _, store := range events.ObjectStores() {
		add("OBJ_" + s.BucketName(store.Name))
	}
	return all
}

// read reads the manifest of a folder. The error wraps [fs.ErrNotExist] when there is none.
func read(dir string) (*Manifest, error) {
	file, err := os.Open(filepath.Join(dir, manifestName)) //nolint:gosec // who runs a command may name any folder
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(file, maxManifest))
	if err != nil {
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
	}
	if m.Format > format {
		return nil, fmt.Errorf("the backup in %s has format %d, made by version %s; this program knows formats up to %d: use that version", dir, m.Format, m.Version, format)
	}
	subjects, err := events.NewSubjects(m.Prefix)
	if err != nil || m.Format < 1 || m.ID == "" {
		return nil, fmt.Errorf("%w: %s is no manifest of a backup", ErrDamaged, manifestName)
	}
	known := order(subjects)
	for i, a := range m.Assets { // names become file names, and streams that are replaced
		if !slices.Contains(known, a.Stream) || slices.ContainsFunc(m.Assets[:i], func(b Asset) bool { return b.Stream == a.Stream }) {
			return nil, fmt.Errorf("%w: %s speaks of %q, which is no stream of the installation, or there twice", ErrDamaged, manifestName, a.Stream)
		}
	}
	return &m, nil
}

// write replaces the manifest, so that there is always a whole one.
func (m *Manifest) write(dir string) error {
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replace(dir, manifestName, func(w io.Writer) error {
		_, err := w.Write(append(content, '\n'))
		return err
	})
}

// unfinished begins the names of files that are being written.
const unfinished = ".unfinished-"

// replace writes a file beside its place, and moves it there when all of it is on the disk.
func replace(dir, name string, fill func(io.Writer) error) error {
	file, err := os.CreateTemp(dir, unfinished+name+".*") // for its owner only
	if err != nil {
		return err
	}
	err = fill(file)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	folder, err := os.Open(dir) //nolint:gosec // see read
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// check compares the file of an asset with what the manifest says of it.
func (a Asset) check(ctx context.Context, dir string) error {
	file, err := os.Open(filepath.Join(dir, a.file())) //nolint:gosec // see read
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no %s", ErrDamaged, a.file())
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	sum := sha256.New()
	content := io.TeeReader(&cancelled{ctx, file}, sum)
	bad := decode(content)
	if _, err := io.Copy(io.Discard, content); err != nil { // what a decoder has left; it tells of a read that failed, too
		return err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	switch {
	case err != nil:
		return err
	case size != a.Size:
		return fmt.Errorf("%w: %s has %d bytes, and should have %d", ErrDamaged, a.file(), size, a.Size)
	case hex.EncodeToString(sum.Sum(nil)) != a.SHA256:
		return fmt.Errorf("%w: the content of %s has changed since it was written", ErrDamaged, a.file())
	case bad != nil:
		return fmt.Errorf("%w: %s: %w", ErrDamaged, a.file(), bad)
	}
	return nil
}

// cancelled reads until its context ends.
type cancelled struct {
	ctx context.Context //nolint:containedctx // a reader has no other place for it
	io.Reader
}

// Read implements [io.Reader].
func (c *cancelled) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.Reader.Read(p)
}

// newID makes the id of a backup.
func newID() string { return rand.Text() }

// Verify reads all of a backup, and returns what it is. The error wraps [ErrDamaged] or [ErrUnfinished].
func Verify(ctx context.Context, dir string) (*Manifest, error) {
	m, err := read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no backup in %s: %w", dir, err)
	}
	if err != nil {
		return nil, err
	}
	if m.Finished.IsZero() {
		return m, fmt.Errorf("%w: run `mlsdmctl backup %s` again, it goes on where it was", ErrUnfinished, dir)
	}
	for _, a := range m.Assets {
		if err := a.check(ctx, dir); err != nil {
			return m, err
		}
	}
	return m, nil
}
