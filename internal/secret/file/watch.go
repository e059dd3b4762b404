package file

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Every is how often [Store.Watch] looks.
const Every = time.Second

// maxWatched bounds how many files are watched: those that were found first.
const maxWatched = 10_000

// mark is the version of a file: when it was changed last, and which file it is.
func mark(info fs.FileInfo) string {
	const base = 36
	inode := uint64(0)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	return strconv.FormatInt(info.ModTime().UnixNano(), base) + "-" + strconv.FormatUint(inode, base)
}

// watch notes what was given out.
func (s *Store) watch(at, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.watched[at]; ok || len(s.watched) < maxWatched {
		s.watched[at] = version
	}
}

// Watch looks every second at the files that were given out, and calls changed for each that is another one since, or is there no
// more, once: for it to be noticed again it has to be given out again. Who keeps what the store gave asks again then. A file
// that was not found is not watched. Watch returns nil when ctx ends.
func (s *Store) Watch(ctx context.Context, changed func(secret.Ref)) error {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			for _, at := range s.changes() {
				changed(secret.Ref{Store: s.Source(), Path: at})
			}
		}
	}
}

// changes returns the files that are not what was given out, and forgets them.
func (s *Store) changes() []string {
	s.mu.Lock()
	known := maps.Clone(s.watched)
	s.mu.Unlock()
	roots := map[string]*os.Root{}
	defer func() {
		for _, dir := range roots {
			_ = dir.Close() // nothing was written
		}
	}()
	var changed []string
	for at, version := range known {
		root, name, _ := s.locate(at)
		dir, ok := roots[root]
		if !ok {
			opened, err := os.OpenRoot(root)
			if err != nil {
				changed = append(changed, at)
				continue
			}
			dir, roots[root] = opened, opened
		}
		if info, err := dir.Stat(name); err != nil || mark(info) != version {
			changed = append(changed, at)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range changed {
		if s.watched[at] == known[at] { // nobody has been given another one meanwhile
			delete(s.watched, at)
		}
	}
	return changed
}
