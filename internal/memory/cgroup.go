package memory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

const (
	// unlimited is from where on a number means that there is no limit: version 1 says so by the largest number of pages.
	unlimited = 1 << 60
	// maxFile bounds what is read of a file of the system; the longest, memory.stat, has some kilobytes.
	maxFile = 64 << 10
	// maxDepth bounds how deep a cgroup may be nested.
	maxDepth = 64
)

// cgroup is a folder with the files of a control group (Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst).
type cgroup struct {
	dir     string // without a leading slash; empty is none
	version int    // 1 or 2
}

// names of the files of a version: the limit, the use, and in memory.stat what the system takes back first.
func (c cgroup) names() (limit, usage, inactive string) {
	if c.version == 1 {
		return "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
	}
	return "memory.max", "memory.current", "inactive_file"
}

// smallest returns the smallest limit of the cgroups that this process is in, and whose it is. No limit is 0. What cannot be read is
// left out, and told by the error, which may come with a limit; that there are no such files is no error.
func smallest(files fs.FS) (least int64, of cgroup, err error) {
	groups, err := own(files)
	if err != nil {
		return 0, cgroup{}, err
	}
	var errs []error
	for _, g := range groups {
		name, _, _ := g.names()
		n, err := readNumber(files, path.Join(g.dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist): // the root has no limit, and a container does not see what is above it
		case err != nil:
			errs = append(errs, err)
		case n > 0 && n < unlimited && (least == 0 || n < least):
			least, of = n, g
		}
	}
	return least, of, errors.Join(errs...)
}

// own returns the cgroups that this process is in, with those around them.
func own(files fs.FS) ([]cgroup, error) {
	const list = "proc/self/cgroup"
	text, err := readBounded(files, list)
	if errors.Is(err, fs.ErrNotExist) { // not Linux
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var groups []cgroup
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		hierarchy, rest, _ := strings.Cut(lines.Text(), ":")
		controllers, dir, found := strings.Cut(rest, ":")
		switch {
		case !found:
			return nil, fmt.Errorf("%s has a line that is none of a cgroup: %.60q", list, lines.Text())
		case hierarchy == "0" && controllers == "":
			for _, root := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
				groups = append(groups, upwards(root, dir, 2)...)
			}
		case containsWord(controllers, "memory"):
			groups = append(groups, upwards("sys/fs/cgroup/memory", dir, 1)...)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	return groups, nil
}

// upwards returns a folder below root and all between the two, and root, which is all that a container sees.
func upwards(root, dir string, version int) []cgroup {
	var groups []cgroup
	dir = path.Clean("/" + dir) // whatever it says, it stays below root
	for range maxDepth {
		groups = append(groups, cgroup{dir: path.Join(root, dir), version: version})
		if dir == "/" {
			return groups
		}
		dir = path.Dir(dir)
	}
	return append(groups, cgroup{dir: root, version: version})
}

// containsWord reports whether a list with commas has a word.
func containsWord(list, word string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one == word {
			return true
		}
	}
	return false
}

// usage returns what the cgroup uses, without what the system takes back before anything else: files that were read a while ago.
func (c cgroup) usage(files fs.FS) (int64, error) {
	_, name, inactive := c.names()
	used, err := readNumber(files, path.Join(c.dir, name))
	if err != nil {
		return 0, err
	}
	text, err := readBounded(files, path.Join(c.dir, "memory.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key != inactive {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil {
			return 0, fmt.Errorf("%s/memory.stat: %s is %.30q", c.dir, inactive, value)
		}
		return max(used-int64(n), 0), nil
	}
	return used, nil
}

// readNumber reads a file that holds one number, or the word max, which is [unlimited].
func readNumber(files fs.FS, name string) (int64, error) {
	text, err := readBounded(files, name)
	if err != nil {
		return 0, err
	}
	word := strings.TrimSpace(string(text))
	if word == "max" {
		return unlimited, nil
	}
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds %.30q, which is no number of bytes", name, word)
	}
	return int64(min(n, unlimited)), nil
}

// readBounded reads a small file.
func readBounded(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return text, nil
}
