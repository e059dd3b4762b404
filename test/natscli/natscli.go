// Package natscli gives tests the nats command line tool in the version that tools/natscli pins.
//
// What this project promises to anyone with the plain nats tool is tested with that tool, and with no other version of it.
package natscli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// Time limits: to build the tool with empty caches, and to run one command of it.
const (
	buildTimeout   = 8 * time.Minute
	commandTimeout = 30 * time.Second
)

// Binary returns the path of the tool: what `make bin/nats` built, if that is not older than the pinned version, else one that
// is built now and kept in the user's cache for the next time. Several tests may ask at once.
func Binary(t testing.TB) string {
	t.Helper()
	root := Root(t)
	source := filepath.Join(root, "tools", "natscli")
	made := filepath.Join(root, "bin", executable("nats"))
	if newer(made, filepath.Join(source, "go.mod")) && newer(made, filepath.Join(source, "go.sum")) {
		return made
	}
	cache, err := os.UserCacheDir()
	if err != nil { // nobody's home
		cache = os.TempDir() //nolint:usetesting // what is built is kept for other tests
	}
	dir := filepath.Join(cache, "mlsdm-integrations", "natscli-"+pinned(t, source))
	require.NoError(t, os.MkdirAll(dir, 0o750))
	built := filepath.Join(dir, executable("nats"))

	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	lock := flock.New(filepath.Join(dir, "lock"))
	locked, err := lock.TryLockContext(ctx, 100*time.Millisecond)
	require.NoError(t, err)
	require.True(t, locked)
	defer func() { require.NoError(t, lock.Close()) }()
	if _, err := os.Stat(built); err == nil {
		return built
	}
	t.Logf("building the nats tool into %s; this happens once", dir)
	build := exec.CommandContext(ctx, "go", "build", "-o", built+".new", "tool")
	build.Dir = source
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "building the nats tool: %s", out)
	require.NoError(t, os.Rename(built+".new", built))
	return built
}

// Run runs one command of the tool against a server and returns what it printed. It knows nothing of the contexts that the
// user may have.
func Run(t testing.TB, url string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	out, err := Command(ctx, t, url, args...).CombinedOutput()
	require.NoError(t, err, "nats %v: %s", args, out)
	return string(out)
}

// Command is a command of the tool, not started yet. It knows nothing of the contexts that the user may have.
func Command(ctx context.Context, t testing.TB, url string, args ...string) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	cmd.Env = []string{"NATS_URL=" + url, "HOME=" + home, "XDG_CONFIG_HOME=" + home, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1"}
	return cmd
}

// Root returns the root of the repository: the nearest folder, from that of the test upwards, that has a go.work.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "there is no go.work above the test")
		dir = parent
	}
}

// pinned names the version that is pinned, and what it is built with.
func pinned(t testing.TB, source string) string {
	t.Helper()
	sum := sha256.New()
	sum.Write([]byte(runtime.Version() + runtime.GOOS + runtime.GOARCH))
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(source, name))
		require.NoError(t, err)
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// newer reports whether a file is there and not older than another.
func newer(file, than string) bool {
	a, err := os.Stat(file)
	if err != nil {
		return false
	}
	b, err := os.Stat(than)
	return err == nil && !a.ModTime().Before(b.ModTime())
}

// executable is a program's name as the operating system wants it.
func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
