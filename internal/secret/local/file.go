// Package local has the contents of settings that refer to a file, which needs nobody else, and may change.
package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const (
	// lookEvery is how often a file that is used is looked at.
	lookEvery = time.Second
	// settled is how old a change must be before the file's times tell all later ones from it.
	settled = 2 * time.Second
	// patience is how long a file may be missing, forbidden or empty before its content counts as taken away: whoever writes it
	// anew may do so in two steps.
	patience = time.Second
)

// File is the content of a file that is read again when it changes, as mounted secrets do. It looks when it is used, once a second
// at most, so that it needs nobody to run it. Make one with [NewFile].
type File struct {
	path   string
	text   atomic.Pointer[string]
	looked atomic.Int64 // nanoseconds since start
	start  time.Time

	mu   sync.Mutex
	info fs.FileInfo // of what was read last
	gone time.Time   // since when there is nothing to read
	err  error
}

// NewFile reads the file at path, which may not be there yet: see [File.Err].
func NewFile(path string) *File {
	f := &File{path: path, start: time.Now()}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look(true)
	return f
}

// Current implements [secret.Source].
func (f *File) Current() string {
	if time.Since(f.start)-time.Duration(f.looked.Load()) >= lookEvery && f.mu.TryLock() {
		f.look(false)
		f.mu.Unlock()
	}
	if text := f.text.Load(); text != nil {
		return *text
	}
	return ""
}

// Renew implements [secret.Source]: it reads the file now.
func (f *File) Renew(context.Context, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look(true)
}

// Err says why the file could not be read when it was looked at last. It never holds what is in it.
func (f *File) Err() error {
	f.Current()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// look reads the file if it has changed, or in any case when that is asked for. It needs the lock.
func (f *File) look(read bool) {
	f.looked.Store(int64(time.Since(f.start)))
	info, err := os.Stat(f.path)
	if err == nil && !read && f.same(info) {
		return
	}
	var text string
	if err == nil {
		text, err = readFile(f.path, info)
	}
	f.err = err
	switch {
	case err == nil:
		f.info, f.gone = info, time.Time{}
		f.text.Store(&text)
	case errors.Is(err, secret.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		f.info = nil
		switch {
		case f.gone.IsZero():
			f.gone = time.Now()
		case time.Since(f.gone) >= patience:
			f.text.Store(nil)
		}
	default: // a disk that fails, or a value that cannot be one: what was there is better than nothing
		f.info = nil
	}
}

// same reports whether the file is the one that was read, and has not changed since.
func (f *File) same(info fs.FileInfo) bool {
	return f.info != nil && os.SameFile(f.info, info) && f.info.ModTime().Equal(info.ModTime()) && f.info.Size() == info.Size() &&
		time.Since(info.ModTime()) > settled
}

// lineBreak is the length of the longest line break.
const lineBreak = 2

// readFile reads a text without the line break at its end, which most editors put there.
func readFile(path string, info fs.FileInfo) (string, error) {
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file: %w", path, secret.ErrUnusable)
	}
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(file, secret.MaxValue+lineBreak+1))
	defer clear(text)
	if err != nil {
		return "", err
	}
	trimmed := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case len(trimmed) == 0:
		return "", fmt.Errorf("%s is empty: %w", path, secret.ErrNotFound)
	case len(trimmed) > secret.MaxValue:
		return "", fmt.Errorf("%s: %w: it has more than %d bytes", path, secret.ErrUnusable, secret.MaxValue)
	case !utf8.Valid(trimmed):
		return "", fmt.Errorf("%s: %w: it is not UTF-8", path, secret.ErrUnusable)
	}
	return string(trimmed), nil
}
