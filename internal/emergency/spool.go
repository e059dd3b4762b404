package emergency

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// idPrefix begins the ids of the events, which are the names of the files too.
	idPrefix = "shutdown-"
	suffix   = ".json"
	// maxFiles bounds how many files a spool has, and maxFile how large one is, in bytes.
	maxFiles = 64
	maxFile  = 64 << 10
)

// Spool is a folder of events that the stream has not taken. Several replicas may share one.
type Spool struct{ dir string }

// NewSpool returns the spool in a folder, which is made when it is needed; without one it is [DefaultDir].
func NewSpool(dir string) *Spool {
	if dir == "" {
		dir = DefaultDir()
	}
	return &Spool{dir: dir}
}

// DefaultDir is a folder of the user's own among those for temporary files.
func DefaultDir() string {
	return filepath.Join(os.TempDir(), "mlsdm-spool-"+strconv.Itoa(os.Getuid()))
}

// open opens the folder. Nobody but the user may write there: what is there is published in the name of the service.
func (s *Spool) open() (*os.Root, error) {
	info, err := os.Lstat(s.dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("the spool %s is no folder, or others may write there (%s): it must be the service's own", s.dir, info.Mode())
	}
	return os.OpenRoot(s.dir)
}

// put writes an event, all of it or nothing.
func (s *Spool) put(ev events.Event) (err error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	if len(body) > maxFile {
		return fmt.Errorf("the event has %d bytes; the spool takes %d", len(body), maxFile)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("the spool: %w", err)
	}
	root, err := s.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	names, err := entries(root)
	if err != nil {
		return err
	}
	if len(names) >= maxFiles {
		return fmt.Errorf("the spool %s is full: it has %d files", s.dir, len(names))
	}
	name := ev.ID + suffix
	if err := write(root, name+unfinished, body); err != nil {
		return errors.Join(err, root.Remove(name+unfinished))
	}
	return root.Rename(name+unfinished, name)
}

// unfinished ends the name of a file that is being written, which takes no longer than abandoned.
const (
	unfinished = ".new"
	abandoned  = time.Minute
)

// write writes a new file to the disk.
func write(root *os.Root, name string, body []byte) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}

// list returns the files of a service.
func (s *Spool) list(service string) (names []string, err error) {
	root, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	all, err := entries(root)
	for _, name := range all {
		if strings.HasPrefix(name, idPrefix+service+"-") && strings.HasSuffix(name, suffix+unfinished) {
			if info, err := root.Lstat(name); err == nil && time.Since(info.ModTime()) > abandoned {
				_ = root.Remove(name) // half an event, of a process that was killed then; what cannot be removed is not read either
			}
			continue
		}
		if strings.HasPrefix(name, idPrefix+service+"-") && strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	return names, err
}

// entries returns the names of the first files of a folder.
func entries(root *os.Root) (names []string, err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err = dir.Readdirnames(2 * maxFiles)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, errors.Join(err, dir.Close())
}

// read reads an event of a service.
func (s *Spool) read(name, service string) (ev events.Event, err error) {
	root, err := s.open()
	if err != nil {
		return ev, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Lstat(name)
	if err != nil {
		return ev, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return ev, fmt.Errorf("it is no file of at most %d bytes", maxFile)
	}
	body, err := root.ReadFile(name)
	if err != nil {
		return ev, err
	}
	if ev, err = events.ParseStructured(body); err != nil {
		return ev, err
	}
	if ev.Type != events.TypeSystemEmergencyShutdown || ev.Source != Source(service) || ev.ID+suffix != name {
		return ev, fmt.Errorf("it holds the event %q of type %q from %q, which is not what its name says", ev.ID, ev.Type, ev.Source)
	}
	_, err = events.Decode[events.SystemEmergencyShutdown](ev)
	return ev, err
}

// remove removes an event. It may be gone already: another replica has found it too.
func (s *Spool) remove(id string) (err error) {
	root, err := s.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.Remove(id + suffix); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
