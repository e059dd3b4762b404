package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the root of the repository, seen from here.
var root = filepath.Join("..", "..") //nolint:gochecknoglobals // a constant that the language has no word for

func TestCommittedFilesAreWhatIsGenerated(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(root, true, &out), "stale:\n%s", &out)
}

// copyInputs makes a folder that holds what eventsgen reads.
func copyInputs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, pattern := range []string{"pkg/events/*.go", "cmd/eventsgen/*.go", "docs/protocol.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			require.NoError(t, err)
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, write(filepath.Join(dir, name), content))
		}
	}
	return dir
}

func TestRunIsIdempotentAndRepairs(t *testing.T) {
	t.Parallel()
	dir := copyInputs(t)
	var out bytes.Buffer
	require.ErrorContains(t, run(dir, true, &out), "stale")
	require.NoFileExists(t, filepath.Join(dir, "docs/asyncapi.yaml"), "-check writes nothing")

	require.NoError(t, run(dir, false, &out))
	files, err := generate(root)
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), name)
	}
	out.Reset()
	require.NoError(t, run(dir, false, &out))
	require.Empty(t, out.String(), "the second run changes nothing")

	// Stale, missing and left-over files are named, and put right.
	require.NoError(t, write(filepath.Join(dir, "docs/asyncapi.yaml"), []byte("asyncapi: 2.0.0\n")))
	require.NoError(t, os.Remove(filepath.Join(dir, schemaDir, "ci.degraded.json")))
	require.NoError(t, write(filepath.Join(dir, schemaDir, "gone.json"), []byte("{}")))
	require.ErrorContains(t, run(dir, true, &out), "3 generated files are stale")
	require.Equal(t, "docs/asyncapi.yaml\n"+schemaDir+"/ci.degraded.json\n"+schemaDir+"/gone.json\n", out.String())
	require.NoError(t, run(dir, false, &out))
	require.NoError(t, run(dir, true, &out))
	require.NoFileExists(t, filepath.Join(dir, schemaDir, "gone.json"))
}

func TestProtocolNeedsItsMarkers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, write(filepath.Join(dir, protocolFile), []byte("# no places for tables\n")))
	require.ErrorContains(t, protocol(dir, map[string][]byte{}), "it must have one")
}
