package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/version"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Told is called with what happens to a stream, and with the bytes that were written or sent of it so far.
type Told func(stream, what string, bytes int64)

// Save writes a backup of the installation to a folder, which is made if need be. A backup there that was interrupted goes on where
// it was; one that is finished is not touched.
func Save(ctx context.Context, b *bus.Bus, dir string, told Told) (*Manifest, error) {
	return saveAll(ctx, &way{bus: b, pause: pauseLongest}, dir, told)
}

func saveAll(ctx context.Context, w *way, dir string, told Told) (done *Manifest, err error) {
	b := w.bus
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	m, err := begin(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	defer func() { // whatever came in between
		err = errors.Join(err, w.open(context.WithoutCancel(ctx)))
	}()
	for _, stream := range order(b.Subjects()) {
		if err := save(ctx, w, dir, m, stream, told); err != nil {
			return m, err
		}
	}
	m.Finished = time.Now().UTC()
	return m, m.write(dir)
}

// lock keeps others out of a folder.
func lock(dir string) (unlock func(), err error) {
	l := flock.New(filepath.Join(dir, ".lock"))
	locked, err := l.TryLock()
	if err != nil {
		return nil, err
	}
	if !locked {
		return nil, fmt.Errorf("another backup or restore works in %s", dir)
	}
	return func() { l.Close() }, nil //nolint:errcheck // it goes with the process
}

// begin reads what there is, or begins anew.
func begin(ctx context.Context, b *bus.Bus, dir string) (*Manifest, error) {
	if err := tidy(dir); err != nil {
		return nil, err
	}
	m, err := read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		m = &Manifest{
			Format: format, ID: newID(), Version: version.String(), Server: b.ServerVersion(), Prefix: b.Subjects().Prefix(), Began: time.Now().UTC(),
		}
		return m, m.write(dir)
	}
	switch {
	case err != nil:
		return nil, err
	case !m.Finished.IsZero():
		return nil, fmt.Errorf("there is a finished backup in %s, of %s: name another folder", dir, m.Finished.Format(time.RFC3339))
	case m.Prefix != b.Subjects().Prefix():
		return nil, fmt.Errorf("the backup in %s is of the prefix %s, this is %s: name another folder", dir, m.Prefix, b.Subjects().Prefix())
	}
	m.Assets = slices.DeleteFunc(m.Assets, func(a Asset) bool { return a.check(ctx, dir) != nil })
	for i, stream := range order(b.Subjects()) { // what was taken behind a gap was taken too early
		if i >= len(m.Assets) || m.Assets[i].Stream != stream {
			m.Assets = m.Assets[:min(i, len(m.Assets))]
			break
		}
	}
	// Those two are taken with the way between them closed, or not at all.
	due, waiting := b.Subjects().StreamName(events.StreamDeliveries), b.Subjects().StreamName(events.StreamWaiting)
	if n := len(m.Assets); n > 0 && m.Assets[n-1].Stream == due && due != waiting {
		m.Assets = m.Assets[:n-1]
	}
	return m, context.Cause(ctx)
}

// tidy removes what a backup that was killed was writing.
func tidy(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, unfinished) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// save takes one stream, unless that is done.
func save(ctx context.Context, way *way, dir string, m *Manifest, stream string, told Told) error {
	b := way.bus
	if slices.ContainsFunc(m.Assets, func(a Asset) bool { return a.Stream == stream }) {
		told(stream, "kept", 0)
		return nil
	}
	if stream == b.Subjects().StreamName(events.StreamDeliveries) {
		if err := way.close(ctx); err != nil {
			return err
		}
	}
	a := Asset{Stream: stream, Taken: time.Now().UTC()}
	sum := sha256.New()
	err := replace(dir, a.file(), func(w io.Writer) error {
		counting := writerFunc(func(p []byte) (int, error) {
			n, err := w.Write(p)
			sum.Write(p[:n])
			a.Size += int64(n)
			told(stream, "saving", a.Size)
			return n, err
		})
		taken, err := b.SnapshotStream(ctx, stream, counting)
		a.Config, a.State = taken.Config, taken.State
		return err
	})
	if err != nil {
		return err
	}
	a.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := a.check(ctx, dir); err != nil { // what the disk has, not what it was given
		return err
	}
	waiting := stream == b.Subjects().StreamName(events.StreamWaiting)
	if waiting {
		if err := way.closed(); err != nil {
			return err
		}
	}
	m.Assets = append(m.Assets, a)
	if err := m.write(dir); err != nil {
		return err
	}
	told(stream, "saved", a.Size)
	if waiting {
		return way.open(ctx)
	}
	return nil
}

// writerFunc is a function that is an [io.Writer].
type writerFunc func([]byte) (int, error)

// Write implements [io.Writer].
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
