package file_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/file"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// notices are the references that a watch has told of.
type notices chan secret.Ref

// within returns the paths that are told of within a time.
func (n notices) within(d time.Duration) []string {
	var paths []string
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	for {
		select {
		case ref := <-n:
			paths = append(paths, ref.String())
		case <-timeout.C:
			return paths
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.set(map[string][]byte{"a": []byte("1"), "b": []byte("1"), "unread": []byte("1")})
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, []byte("1"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s := open(t, m.root, filepath.Dir(plain))
		told := make(notices, 100)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Watch(ctx, func(ref secret.Ref) { told <- ref }) }()
		read := func(paths ...string) {
			for _, path := range paths {
				_, err := get(t, s, path)
				require.NoError(t, err)
			}
		}
		const soon = file.Every + file.Every/2
		a, b := m.at("a"), m.at("b")

		_, err := get(t, s, m.at("missing"))
		secrettest.RequireKind(t, err, secret.ErrNotFound)
		read(a, b, plain)
		require.Empty(t, told.within(time.Minute), "nothing has changed")

		m.set(map[string][]byte{"a": []byte("2"), "b": []byte("2"), "unread": []byte("2"), "missing": []byte("1")})
		require.ElementsMatch(t, []string{"file:" + a, "file:" + b}, told.within(soon))
		require.Empty(t, told.within(time.Minute), "told once")
		read(a, b)
		require.Empty(t, told.within(time.Minute))

		require.NoError(t, os.WriteFile(plain+".new", []byte("2"), 0o600))
		require.NoError(t, os.Rename(plain+".new", plain))
		require.Equal(t, []string{"file:" + plain}, told.within(soon))
		read(plain)

		require.NoError(t, os.Remove(plain))
		require.Equal(t, []string{"file:" + plain}, told.within(soon), "it is there no more")
		require.NoError(t, os.RemoveAll(m.root))
		require.ElementsMatch(t, []string{"file:" + a, "file:" + b}, told.within(soon), "the mount is there no more")
		require.Empty(t, told.within(time.Minute))

		cancel()
		require.NoError(t, <-ended)
	})
}

// A version says nothing of the value, and the same value in another file is another version.
func TestVersion(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root)
	versions := map[string]bool{}
	for _, name := range []string{"a", "b"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(secrettest.Canary), 0o600))
		entry, err := get(t, s, filepath.Join(root, name))
		require.NoError(t, err)
		require.Regexp(t, `^[0-9a-z]+-[0-9a-z]+$`, entry.Version)
		versions[entry.Version] = true
	}
	require.Len(t, versions, 2)
	at := filepath.Join(root, "a")
	before, err := get(t, s, at)
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(at, time.Time{}, time.Now().Add(-time.Hour)))
	after, err := get(t, s, at)
	require.NoError(t, err)
	require.NotEqual(t, before.Version, after.Version)
}
