package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// mount is a folder of secrets as Kubernetes mounts one: each is a link to ..data/NAME, and ..data is a link to the folder of the
// current ones, which is replaced at once.
type mount struct {
	t    *testing.T
	root string
	n    int
}

// newMount returns an empty one.
func newMount(t *testing.T) *mount {
	t.Helper()
	return &mount{t: t, root: t.TempDir()}
}

// at is where a secret is.
func (m *mount) at(name string) string { return filepath.Join(m.root, name) }

// set replaces all secrets.
func (m *mount) set(files map[string][]byte) {
	m.t.Helper()
	m.n++
	folder := fmt.Sprintf("..2026_01_%02d", m.n)
	require.NoError(m.t, os.Mkdir(m.at(folder), 0o700))
	for name, content := range files {
		require.NoError(m.t, os.WriteFile(filepath.Join(m.at(folder), name), content, 0o600))
		if _, err := os.Lstat(m.at(name)); err != nil {
			require.NoError(m.t, os.Symlink("..data/"+name, m.at(name)))
		}
	}
	require.NoError(m.t, os.Symlink(folder, m.at("..data_tmp")))
	require.NoError(m.t, os.Rename(m.at("..data_tmp"), m.at("..data")))
	if m.n > 1 {
		require.NoError(m.t, os.RemoveAll(m.at(fmt.Sprintf("..2026_01_%02d", m.n-1))))
	}
}
