package vectorfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
)

// The ends of the names of the files beside the one that is written.
const (
	partEnd     = ".part"
	progressEnd = ".progress"
	errorsEnd   = ".errors.jsonl"
	newEnd      = ".new"
)

// fileMode is that of a new file, before the umask.
const fileMode = 0o644

// File is a file that is being written. It is not safe for concurrent use.
type File struct {
	name   string
	state  State
	layout layout
	lock   *flock.Flock

	part, errs *os.File // errs is nil until there is an error
	rows, bad  *bufio.Writer
	line       []byte
}

// layout is how a format lies in the half-written file.
type layout interface {
	// begin is how many bytes are left free before the first row.
	begin() int64
	// row appends a row. index counts from 0.
	row(b []byte, index int, r Row, s *State) ([]byte, error)
	// whole makes of the half-written file what it shall be. It returns the name of the file that is it now.
	whole(part *os.File, s *State) (string, error)
}

// Open goes on with a file, or begins one. With overwrite what is there is not looked at, and is replaced when the new one is whole.
// A file that is whole already is [ErrThere], one that was begun with something else [ErrOther], one that another process writes
// [ErrBusy].
func Open(name string, ask Ask, overwrite bool) (*File, error) {
	f := &File{name: name, layout: layoutOf(ask.Format), state: State{Ask: ask}}
	state, begun, err := readState(name + progressEnd)
	switch {
	case overwrite:
		begun = false
	case err != nil:
		return nil, err
	case begun && state.Whole && !exists(name+partEnd) && exists(name): // it was about to be removed
		return nil, errors.Join(fmt.Errorf("%s: %w", name, ErrThere), os.Remove(name+progressEnd))
	case begun && state.Rows == 0:
		begun = false
	case begun:
		if err := ask.differs(state.Ask); err != nil {
			return nil, err
		}
	case exists(name):
		return nil, fmt.Errorf("%s: %w", name, ErrThere)
	}
	f.lock = flock.New(name+partEnd, flock.SetPermissions(fileMode))
	if held, err := f.lock.TryLock(); err != nil || !held {
		if err == nil {
			err = fmt.Errorf("%s: %w", name, ErrBusy)
		}
		return nil, err
	}
	if begun {
		f.state = state
		f.state.Whole = false
	} else {
		f.state.Bytes = f.layout.begin()
	}
	if err := f.open(begun); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// open opens the files, and takes away what does not count.
func (f *File) open(begun bool) error {
	if !begun { // what it said is true no more once the rows are gone
		for _, end := range []string{progressEnd, errorsEnd} {
			if err := os.Remove(f.name + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	var err error
	if f.part, err = openAt(f.name+partEnd, f.state.Bytes, begun); err != nil {
		return err
	}
	f.rows = bufio.NewWriterSize(f.part, 256<<10)
	if f.state.ErrorBytes > 0 {
		return f.openErrors()
	}
	return nil
}

// openErrors opens the file of the errors.
func (f *File) openErrors() error {
	var err error
	if f.errs, err = openAt(f.name+errorsEnd, f.state.ErrorBytes, f.state.ErrorBytes > 0); err == nil {
		f.bad = bufio.NewWriter(f.errs)
	}
	return err
}

// openAt opens a file to write on from a place, which has to be there if the file was begun.
func openAt(name string, at int64, begun bool) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && begun && info.Size() < at {
		err = fmt.Errorf("%s has %d bytes, and %d were written: begin anew with --overwrite", name, info.Size(), at)
	}
	if err == nil && !begun {
		err = file.Truncate(0)
	}
	if err == nil {
		err = file.Truncate(at)
	}
	if err == nil {
		_, err = file.Seek(at, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// State returns how far the file has come.
func (f *File) State() State { return f.state }

// Append adds the rows of the texts up to a place of the input, what they used, and the space that their vectors lie in, which is
// empty if there are none. It is [ErrSpace] if that is not the space of those before; then nothing is added.
func (f *File) Append(rows []Row, space Space, tokens int, upTo corpus.Position) error {
	if space != (Space{}) {
		if was := f.state.Space; was == (Space{}) {
			f.state.Space = space
		} else if was.ID != space.ID || was.Dimensions != space.Dimensions {
			return fmt.Errorf("%w: %s, of %d dimensions, answered by %s. Those in the file are of %s, of %d dimensions, answered by %s. "+
				"They cannot be compared, and are not mixed", ErrSpace, space.ID, space.Dimensions, space.Model, was.ID, was.Dimensions, was.Model)
		}
	}
	for _, r := range rows {
		if err := f.add(r); err != nil {
			return err
		}
	}
	f.state.Tokens += tokens
	f.state.Input = upTo
	return nil
}

// add adds one row.
func (f *File) add(r Row) error {
	if r.Error == nil && len(r.Vector) != f.state.Space.Dimensions {
		return fmt.Errorf("the vector of line %d has %d numbers, and those of its space %d", r.Line, len(r.Vector), f.state.Space.Dimensions)
	}
	var err error
	if f.line, err = f.layout.row(f.line[:0], f.state.Rows, r, &f.state); err != nil {
		return fmt.Errorf("line %d: %w", r.Line, err)
	}
	if _, err := f.rows.Write(f.line); err != nil {
		return err
	}
	f.state.Bytes += int64(len(f.line))
	index := f.state.Rows
	f.state.Rows++
	if r.Truncated != nil {
		f.state.Truncated++
	}
	if r.Error == nil {
		return nil
	}
	f.state.Failed++
	return f.fault(index, r)
}

// fault notes that a text has no vector.
func (f *File) fault(index int, r Row) error {
	if f.errs == nil {
		if err := f.openErrors(); err != nil {
			return err
		}
	}
	line, err := json.Marshal(fault{Line: r.Line, Index: index, ID: r.ID, Error: r.Error})
	if err != nil {
		return err
	}
	if _, err := f.bad.Write(append(line, '\n')); err != nil {
		return err
	}
	f.state.ErrorBytes += int64(len(line)) + 1
	return nil
}

// fault is a line of the file of the errors.
type fault struct {
	Line  int             `json:"line"`
	Index int             `json:"index"`
	ID    json.RawMessage `json:"id,omitempty"`
	Error any             `json:"error"`
}

// Checkpoint sees to it that what was added survives whatever comes.
func (f *File) Checkpoint() error {
	if err := flushed(f.rows, f.part); err != nil {
		return err
	}
	if f.errs != nil {
		if err := flushed(f.bad, f.errs); err != nil {
			return err
		}
	}
	return writeState(f.name+progressEnd, f.state)
}

// flushed writes a buffer to the disk.
func flushed(b *bufio.Writer, file *os.File) error {
	if err := b.Flush(); err != nil {
		return err
	}
	return file.Sync()
}

// Finish makes the file whole, and gives it its name.
func (f *File) Finish() error {
	f.state.Whole = true
	if err := f.Checkpoint(); err != nil {
		return err
	}
	made, err := f.layout.whole(f.part, &f.state)
	if err != nil {
		return err
	}
	if err := os.Rename(made, f.name); err != nil {
		return err
	}
	if err := syncDir(f.name); err != nil {
		return err
	}
	if made != f.part.Name() {
		if err := os.Remove(f.part.Name()); err != nil {
			return err
		}
	}
	return os.Remove(f.name + progressEnd)
}

// Close gives the file free. What was added since the last checkpoint does not count. If nothing was added ever, nothing is left.
func (f *File) Close() error {
	var errs []error
	if f.state.Rows == 0 && !f.state.Whole {
		for _, end := range []string{partEnd, progressEnd} {
			if err := os.Remove(f.name + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	for _, file := range []*os.File{f.part, f.errs} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(append(errs, f.lock.Close())...)
}

// Discard gives the file up: of what was added nothing is left. It closes it.
func (f *File) Discard() error {
	err := f.Close()
	for _, end := range []string{partEnd, partEnd + newEnd, progressEnd, errorsEnd} {
		if gone := os.Remove(f.name + end); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// Errors returns the name of the file that names the texts without a vector.
func (f *File) Errors() string { return f.name + errorsEnd }

// exists reports whether a file is there.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// syncDir sees to it that a new name survives.
func syncDir(name string) error {
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
