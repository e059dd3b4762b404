// Package file reads secrets that are mounted, as Kubernetes and Docker do it: file:/run/secrets/openai.
//
// Only what lies below one of the roots is read. Symbolic links are followed within a root, as Kubernetes makes them, and not out
// of it. A file is at most 64 KiB of UTF-8; one line break at its end, \n or \r\n, is taken off, since editors and echo put it
// there. Its version is made of its inode and the time of its last change, and never of what it holds, so that it can be shown;
// whoever changes a file in place within a tick of the clock (some milliseconds) of the change before may keep the version.
// Files that are replaced by others, as mounted ones are, differ always. Who writes them in place should not: a reader in
// between sees half of it.
package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// DefaultRoot is where Docker and Kubernetes put secrets by themselves.
const DefaultRoot = "/run/secrets"

// maxFile is the largest file that is read, in bytes: a value and a line break.
const maxFile = secret.MaxValue + len("\r\n")

// reads is how often a file is read that changes meanwhile.
const reads = 3

// Store is folders of mounted secrets as a store of secrets. Make one with [New].
type Store struct {
	roots []string // the longest first

	mu      sync.Mutex
	watched map[string]string // versions that were given out, by path
}

// New returns a store of what lies below roots, which are absolute paths of folders; without one it is [DefaultRoot]. It reads
// nothing yet: a root may be mounted later, and until then nothing is found below it.
func New(roots []string) (*Store, error) {
	if len(roots) == 0 {
		roots = []string{DefaultRoot}
	}
	if err := Validate(roots); err != nil {
		return nil, err
	}
	roots = slices.Clone(roots)
	slices.SortFunc(roots, func(a, b string) int { return len(b) - len(a) })
	return &Store{roots: roots, watched: map[string]string{}}, nil
}

// Validate returns an error that names every root that is none.
func Validate(roots []string) error {
	var errs []error
	for _, root := range roots {
		if !path.IsAbs(root) || path.Clean(root) != root || root == "/" {
			errs = append(errs, fmt.Errorf("file: the root %q is no absolute path of a folder below /, without a slash at its end, like %s", root, DefaultRoot))
		}
	}
	return errors.Join(errs...)
}

// Source implements [secret.Store].
func (s *Store) Source() string { return secret.StoreFile }

// Get implements [secret.Store]. The path of ref is the file's. A file of a network that hangs keeps who asks waiting.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if err := ref.Check(s.Source()); err != nil {
		return secret.Entry{}, fmt.Errorf("%w: %w", secret.ErrDenied, err)
	}
	if err := ctx.Err(); err != nil {
		return secret.Entry{}, fmt.Errorf("reading %s: %w", ref.Path, err)
	}
	root, name, ok := s.locate(ref.Path)
	if !ok {
		return secret.Entry{}, fmt.Errorf("%w: %s is below none of the folders that may be read", secret.ErrDenied, ref.Path)
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return secret.Entry{}, failure(ref.Path, err)
	}
	defer func() { _ = dir.Close() }() // nothing was written
	for range reads {
		text, version, err := read(dir, name)
		if err != nil {
			return secret.Entry{}, failure(ref.Path, err)
		}
		if version == "" { // it was changed meanwhile
			continue
		}
		entry, err := secret.TakeEntry(s.Source(), version, trim(text))
		if err != nil {
			return secret.Entry{}, fmt.Errorf("%s: %w", ref.Path, err)
		}
		s.watch(ref.Path, version)
		return entry, nil
	}
	return secret.Entry{}, fmt.Errorf("%w: %s is being written", secret.ErrUnavailable, ref.Path)
}

// locate returns the root that a path is below, and its name there.
func (s *Store) locate(p string) (root, name string, ok bool) {
	for _, root := range s.roots {
		if name, ok := strings.CutPrefix(p, root+"/"); ok {
			return root, name, true
		}
	}
	return "", "", false
}

// unusableError is a file that is no secret.
type unusableError struct{ why string }

// Error implements error.
func (e unusableError) Error() string { return e.why }

// read returns what a file holds, with its version, which is empty if the file was changed meanwhile.
func read(dir *os.Root, name string) (text []byte, version string, err error) {
	if _, err := regular(dir.Stat(name)); err != nil { // a pipe or a device is not even opened
		return nil, "", err
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // should it be a pipe by now
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = f.Close() }() // nothing was written
	before, err := regular(f.Stat())
	if err != nil {
		return nil, "", err
	}
	text = make([]byte, before.Size()+1) // one more, to see its end
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		clear(text)
		return nil, "", err
	}
	after, err := f.Stat()
	if err != nil {
		clear(text)
		return nil, "", err
	}
	if int64(n) != before.Size() || mark(before) != mark(after) {
		clear(text)
		return nil, "", nil
	}
	return text[:n], mark(after), nil
}

// regular returns the information on a file that can hold a secret.
func regular(info fs.FileInfo, err error) (fs.FileInfo, error) {
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, unusableError{"it is no file, but " + info.Mode().Type().String()}
	case info.Size() > int64(maxFile):
		return nil, unusableError{fmt.Sprintf("it has %d bytes, at most %d are allowed", info.Size(), secret.MaxValue)}
	default:
		return info, nil
	}
}

// trim takes off one line break at the end.
func trim(text []byte) []byte {
	if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		return bytes.TrimSuffix(line, []byte("\r"))
	}
	return text
}

// failure says in the words of a store what the system said.
func failure(at string, err error) error {
	if unusable, ok := errors.AsType[unusableError](err); ok {
		return fmt.Errorf("%w: %s: %s", secret.ErrUnusable, at, unusable.why)
	}
	number, ok := errors.AsType[syscall.Errno](err)
	switch {
	case !ok: // os.Root's own word for a path that leads out of it
		return fmt.Errorf("%w: %s: %w", secret.ErrDenied, at, err)
	case errors.Is(number, fs.ErrNotExist), number == syscall.ENOTDIR, number == syscall.ENAMETOOLONG:
		return fmt.Errorf("%s: %w", at, secret.ErrNotFound)
	case errors.Is(number, fs.ErrPermission), number == syscall.ELOOP:
		return fmt.Errorf("%w: %s: %w", secret.ErrDenied, at, number)
	default:
		return fmt.Errorf("%w: %s: %w", secret.ErrUnavailable, at, number)
	}
}
