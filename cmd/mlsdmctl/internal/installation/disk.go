package installation

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/gofrs/flock"
)

// disk is the folder. Nothing outside of it is touched, whatever links somebody put into it.
type disk struct {
	dir  string
	root *os.Root // nil while there is no folder
	dry  bool
	lock *flock.Flock
}

// Modes. The folder keeps others out; see the package comment.
const (
	dirMode    = 0o700
	innerMode  = 0o755
	fileMode   = 0o444
	ownMode    = 0o400   // of what no container is given
	largest    = 1 << 20 // of a file that is read, in bytes
	lockFile   = ".lock"
	tempPrefix = ".new-"
)

// openDisk opens the folder, and makes it unless dry.
func openDisk(dir string, dry bool) (*disk, error) {
	d := &disk{dir: dir, dry: dry}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && dry:
		return d, nil
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(dir), innerMode); err != nil {
			return nil, err
		}
		if err := os.Mkdir(dir, dirMode); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no folder: %w; choose another with --dir", dir, ErrNotOurs)
	}
	if d.root, err = os.OpenRoot(dir); err != nil {
		return nil, err
	}
	if dry {
		return d, nil
	}
	if err := d.claim(); err != nil {
		return nil, errors.Join(err, d.root.Close())
	}
	return d, nil
}

// claim keeps other processes from doing the same at the same time.
func (d *disk) claim() error {
	if info, err := d.root.Lstat(lockFile); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", filepath.Join(d.dir, lockFile), ErrNotOurs)
	}
	d.lock = flock.New(filepath.Join(d.dir, lockFile), flock.SetPermissions(0o600))
	held, err := d.lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking %s: %w", d.dir, err)
	}
	if !held {
		return fmt.Errorf("another `mlsdmctl init` works in %s: try again when it has ended", d.dir)
	}
	return nil
}

// close lets others in. The folder itself is closed to others, once it is known to be ours.
func (d *disk) close() {
	if d.lock != nil {
		_ = d.lock.Close() // the process is about to end, which does the same
	}
	if d.root != nil {
		_ = d.root.Close() // nothing was written through it that was not closed
	}
}

// empty reports whether there is nothing in the folder.
func (d *disk) empty() (bool, error) {
	if d.root == nil {
		return true, nil
	}
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Name() != lockFile {
			return false, nil
		}
	}
	return true, nil
}

// read reads a file; found is false when there is none. A link is not followed.
func (d *disk) read(name string) (content []byte, found bool, err error) {
	if d.root == nil {
		return nil, false, nil
	}
	if err := d.checkParent(name); err != nil {
		return nil, false, err
	}
	info, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%s is no plain file: %w", filepath.Join(d.dir, name), ErrNotOurs)
	}
	file, err := d.root.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	content, err = io.ReadAll(io.LimitReader(file, largest+1))
	if err == nil && len(content) > largest {
		err = fmt.Errorf("%s is too large: %w", filepath.Join(d.dir, name), ErrNotOurs)
	}
	return content, err == nil, err
}

// checkParent refuses a link in the place of an inner folder.
func (d *disk) checkParent(name string) error {
	parent := path.Dir(name)
	if parent == "." {
		return nil
	}
	info, err := d.root.Lstat(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no folder: %w", filepath.Join(d.dir, parent), ErrNotOurs)
	}
	return err
}

// modeOf is the mode of a file.
func modeOf(name string) os.FileMode {
	if name == caKeyFile {
		return ownMode
	}
	return fileMode
}

// write makes a file, or puts it in the place of the one that is there: all of it or nothing.
func (d *disk) write(name string, content []byte) error {
	if d.dry {
		return nil
	}
	if err := d.root.Chmod(".", dirMode); err != nil {
		return err
	}
	if parent := path.Dir(name); parent != "." {
		if err := d.root.Mkdir(parent, innerMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := d.checkParent(name); err != nil {
			return err
		}
		if err := d.root.Chmod(parent, innerMode); err != nil { // whatever the umask
			return err
		}
	}
	temp := path.Join(path.Dir(name), tempPrefix+rand.Text())
	file, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(modeOf(name)), file.Sync(), file.Close())
	if err == nil {
		err = d.root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, d.root.Remove(temp))
	}
	return nil
}
