package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/local"
)

const canary = "canary31337"

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// The time of a bubble is long before that of the files: to the reader, every file has just been written.
func TestFileFollowsItsContent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	synctest.Test(t, func(t *testing.T) {
		f := local.NewFile(path)
		require.ErrorIs(t, f.Err(), os.ErrNotExist)
		require.Empty(t, f.Current())
		write(t, path, "old\n")
		require.Empty(t, f.Current(), "it is not looked at for every use")
		pass(time.Second)
		require.Equal(t, "old", f.Current())
		require.NoError(t, f.Err())

		write(t, path, "new\r\n")
		require.Equal(t, "old", f.Current())
		f.Renew(t.Context(), "old")
		require.Equal(t, "new", f.Current(), "who finds it refused does not wait")

		other := path + ".next"
		write(t, other, " two lines\nof text\n\n")
		require.NoError(t, os.Rename(other, path))
		pass(time.Second)
		require.Equal(t, " two lines\nof text\n", f.Current(), "one line break is not its own")
	})
}

// As Kubernetes does it: the name leads to another file from one moment to the next.
func TestFileThroughALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	past := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // long settled
	for _, name := range []string{"one", "two"} {
		write(t, filepath.Join(dir, name), name)
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), past, past))
	}
	link := filepath.Join(dir, "key")
	require.NoError(t, os.Symlink("one", link))
	synctest.Test(t, func(t *testing.T) {
		f := local.NewFile(link)
		require.Equal(t, "one", f.Current())
		require.NoError(t, os.Symlink("two", link+".next"))
		require.NoError(t, os.Rename(link+".next", link))
		pass(time.Second)
		require.Equal(t, "two", f.Current())

		// What has settled, and looks as it did, is not read again.
		write(t, filepath.Join(dir, "two"), "owt")
		require.NoError(t, os.Chtimes(filepath.Join(dir, "two"), past, past))
		pass(time.Second)
		require.Equal(t, "two", f.Current())
	})
}

func TestFileThatIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Remove(path)) },
		"emptied": func(t *testing.T, path string) { t.Helper(); write(t, path, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key")
			write(t, path, canary)
			synctest.Test(t, func(t *testing.T) {
				f := local.NewFile(path)
				take(t, path)
				pass(time.Second)
				require.Equal(t, canary, f.Current(), "it is perhaps being written")
				f.Renew(t.Context(), canary)
				require.Equal(t, canary, f.Current())
				pass(time.Second)
				require.Empty(t, f.Current(), "it is not")
				require.Error(t, f.Err())
				write(t, path, "back")
				pass(time.Second)
				require.Equal(t, "back", f.Current())
			})
		})
	}
}

func TestFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"binary": canary + "\xff\xfe", "too large": canary + strings.Repeat("x", secret.MaxValue), "empty": "", "a line break": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key")
			write(t, path, content)
			f := local.NewFile(path)
			require.Error(t, f.Err())
			require.ErrorContains(t, f.Err(), path)
			require.NotContains(t, f.Err().Error(), canary)
			require.Empty(t, f.Current())
		})
	}
	f := local.NewFile(t.TempDir())
	require.ErrorIs(t, f.Err(), secret.ErrUnusable, "a folder")

	path := filepath.Join(t.TempDir(), "key")
	write(t, path, strings.Repeat("x", secret.MaxValue)+"\n")
	require.NoError(t, local.NewFile(path).Err(), "the largest")

	write(t, path, "good")
	synctest.Test(t, func(t *testing.T) {
		f := local.NewFile(path)
		write(t, path, "\xff")
		pass(time.Minute)
		require.Equal(t, "good", f.Current(), "what was known is better than what is no text")
		require.ErrorIs(t, f.Err(), secret.ErrUnusable)
		pass(time.Minute)
		require.Equal(t, "good", f.Current())
	})
}

// pass lets time go by in the bubble.
func pass(d time.Duration) { <-time.After(d) }
