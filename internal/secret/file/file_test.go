package file_test

import (
	"bytes"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/file"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// open returns a store of folders.
func open(t *testing.T, roots ...string) *file.Store {
	t.Helper()
	s, err := file.New(roots)
	require.NoError(t, err)
	return s
}

// get reads one file.
func get(t *testing.T, s *file.Store, path string) (secret.Entry, error) {
	t.Helper()
	entry, err := s.Get(t.Context(), secret.Ref{Store: "file", Path: path})
	if err != nil {
		secrettest.RequireQuiet(t, err)
	}
	return entry, err
}

func TestContract(t *testing.T) {
	t.Parallel()
	const never, noField, noVersion, local = "a file system that is there answers", "a file is one text", "a file has its current content only",
		"there are no credentials but the process's own"
	secrettest.Contract{
		Source: "file",
		Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
			t.Helper()
			m, files := newMount(t), map[string][]byte{}
			for key, s := range p.Secrets {
				current := s.Versions[len(s.Versions)-1]
				files[key] = append([]byte(current.Text+string(current.Binary)), '\n')
			}
			m.set(files)
			root := m.root
			if p.Condition == secrettest.Denied {
				root = t.TempDir()
			}
			return secrettest.Subject{
				Store: open(t, root),
				At:    func(key string) secret.Ref { return secret.Ref{Store: "file", Path: m.at(key)} },
				Rotate: func(key string, to secrettest.Content) {
					files = maps.Clone(files)
					files[key] = []byte(to.Text + "\n")
					m.set(files)
				},
			}
		},
		Lacks: map[secrettest.Row]string{
			secrettest.RowField: noField, secrettest.RowFieldMissing: noField, secrettest.RowFieldNoText: noField, secrettest.RowFieldNoFields: noField,
			secrettest.RowPinned: noVersion, secrettest.RowPinnedMissing: noVersion, secrettest.RowGone: "a file that was removed is not there",
			secrettest.RowExpired: local, secrettest.RowThrottled: never, secrettest.RowBroken: never, secrettest.RowDown: "without the mount no file is found",
			secrettest.RowSlow: "a mounted secret is in memory", secrettest.RowHalf: "see TestReplacedWhileRead", secrettest.RowGarbage: never,
			secrettest.RowEndless: "see TestWhatIsNoSecret", secrettest.RowRedirected: "see TestLinks",
		},
	}.Run(t)
}

func TestLineBreak(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	files, want := map[string][]byte{}, map[string]string{}
	for name, pair := range map[string][2]string{
		"none": {"v", "v"}, "one": {"v\n", "v"}, "windows": {"v\r\n", "v"}, "two": {"v\n\n", "v\n"}, "within": {"a\nb", "a\nb"}, "before": {"\nv", "\nv"},
		"return": {"v\r", "v\r"}, "pem": {"-----BEGIN\nx\n-----END\n", "-----BEGIN\nx\n-----END"}, "spaces": {" v \n", " v "},
		"largest": {strings.Repeat("x", secret.MaxValue) + "\r\n", strings.Repeat("x", secret.MaxValue)},
	} {
		files[name], want[name] = []byte(pair[0]), pair[1]
	}
	files["empty"], files["only"] = []byte{}, []byte("\n")
	m.set(files)
	s := open(t, m.root)
	for name, text := range want {
		entry, err := get(t, s, m.at(name))
		require.NoError(t, err, name)
		require.Equal(t, text, entry.Value.Reveal(), name)
	}
	for _, name := range []string{"empty", "only"} {
		_, err := get(t, s, m.at(name))
		secrettest.RequireKind(t, err, secret.ErrNotFound)
	}
}

func TestWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	require.NoError(t, os.Mkdir(at("folder"), 0o700))
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o600))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", at("s"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	require.NoError(t, os.WriteFile(at("large"), bytes.Repeat([]byte("x"), secret.MaxValue+3), 0o600))
	require.NoError(t, os.Truncate(at("large"), 1<<40), "a file of holes")
	s := open(t, root)
	for name, what := range map[string]string{"folder": "no file", "pipe": "no file", "s": "no file", "large": "1099511627776 bytes"} {
		_, err := get(t, s, at(name))
		secrettest.RequireKind(t, err, secret.ErrUnusable)
		require.ErrorContains(t, err, what)
		require.ErrorContains(t, err, at(name))
	}
	require.NoError(t, os.WriteFile(at("file"), []byte("v"), 0o600))
	_, err = get(t, s, at("file/below"))
	secrettest.RequireKind(t, err, secret.ErrNotFound)
	_, err = get(t, s, at(strings.Repeat("n", 300)))
	secrettest.RequireKind(t, err, secret.ErrNotFound)

	// What holds more than it says, as files of /proc do, is never the same twice.
	_, err = get(t, open(t, "/proc"), "/proc/self/status")
	secrettest.RequireKind(t, err, secret.ErrUnavailable)
}

func TestRoots(t *testing.T) {
	t.Parallel()
	outside, inside := newMount(t), newMount(t)
	outside.set(map[string][]byte{"key": []byte("outside " + secrettest.Canary)})
	inside.set(map[string][]byte{"key": []byte("inside")})
	s := open(t, inside.root, filepath.Join(inside.root, "nested"))
	_, err := get(t, s, inside.at("key"))
	require.NoError(t, err)
	for _, path := range []string{outside.at("key"), inside.root, inside.root + "x/key", "/etc/passwd", filepath.Dir(inside.root)} {
		_, err := get(t, s, path)
		secrettest.RequireKind(t, err, secret.ErrDenied)
	}
	_, err = get(t, s, inside.at("nested/key"))
	secrettest.RequireKind(t, err, secret.ErrNotFound)

	// The usual one need not be there.
	_, err = get(t, open(t), file.DefaultRoot+"/mlsdm-no-such-secret")
	secrettest.RequireKind(t, err, secret.ErrNotFound)
	for _, bad := range []string{"", "/", "relative", "/a/", "/a/../b", "/a//b", "."} {
		_, err := file.New([]string{"/good", bad})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "/good\"")
	}
}

// Links lead about within a root, and not out of it.
func TestLinks(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	root := filepath.Join(base, "root")
	at := func(name string) string { return filepath.Join(root, name) }
	require.NoError(t, os.MkdirAll(at("a/b"), 0o700))
	require.NoError(t, os.WriteFile(at("a/b/key"), []byte("v"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(base, "outside"), []byte(secrettest.Canary), 0o600))
	for name, to := range map[string]string{
		"within": "a/b/key", "up": "a/../a/b/key", "a/b/back": "../../within", "folder": "a/b",
		"out": "../outside", "absolute": filepath.Join(base, "outside"), "home": at("a/b/key"), "a/climb": "../../outside", "parent": "..",
		"device": "/dev/zero", "loop": "loop", "nowhere": "a/none",
	} {
		require.NoError(t, os.Symlink(to, at(name)))
	}
	s := open(t, root)
	for _, name := range []string{"within", "up", "a/b/back", "folder/key"} {
		entry, err := get(t, s, at(name))
		require.NoError(t, err, name)
		require.Equal(t, "v", entry.Value.Reveal())
	}
	for _, name := range []string{"out", "absolute", "home", "a/climb", "parent/outside", "device", "loop"} {
		_, err := get(t, s, at(name))
		require.Error(t, err, name)
		secrettest.RequireKind(t, err, secret.ErrDenied)
	}
	_, err := get(t, s, at("nowhere"))
	secrettest.RequireKind(t, err, secret.ErrNotFound)
}

// Who reads while a file is replaced gets the one or the other.
func TestReplacedWhileRead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at := filepath.Join(root, "key")
	whole := map[string]bool{strings.Repeat("a", secret.MaxValue): true, strings.Repeat("b", secret.MaxValue/2): true}
	var texts [][]byte
	for text := range whole {
		texts = append(texts, []byte(text))
	}
	replace := func(n int) error {
		if err := os.WriteFile(at+".new", texts[n%2], 0o600); err != nil {
			return err
		}
		return os.Rename(at+".new", at)
	}
	require.NoError(t, replace(0))
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
				if err := replace(n); err != nil {
					t.Errorf("replacing: %v", err)
					return
				}
			}
		}
	})
	s := open(t, root)
	for range 300 {
		entry, err := get(t, s, at)
		if err != nil {
			secrettest.RequireKind(t, err, secret.ErrUnavailable)
			continue
		}
		require.True(t, whole[entry.Value.Reveal()])
	}
	close(stop)
	writer.Wait()
}
