package backup_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/backup"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// packed compresses as the server does.
func packed(t *testing.T, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := s2.NewWriter(&out)
	_, err := w.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestSnapshotsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	whole := packed(t, "meta and messages")
	require.NoError(t, backup.Decode(bytes.NewReader(whole)))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-3] ^= 1
	for what, content := range map[string][]byte{
		"nothing": nil, "empty": packed(t, ""), "something else": []byte("something else"), "cut": whole[:len(whole)-1], "a bit": flipped,
		"something more": append(bytes.Clone(whole), "x"...),
	} {
		require.Error(t, backup.Decode(bytes.NewReader(content)), what)
	}
}

// What a backup that was killed had begun to write goes with the next one.
func TestWhatWasNotFinishedIsRemoved(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	dir := t.TempDir()
	mine, others := filepath.Join(dir, ".unfinished-MLSDM_EVENTS.snapshot.123"), filepath.Join(dir, "notes.txt")
	for _, name := range []string{mine, others} {
		require.NoError(t, os.WriteFile(name, []byte("half"), 0o600))
	}
	_, err := backup.Save(t.Context(), b, dir, quiet)
	require.NoError(t, err)
	require.NoFileExists(t, mine)
	require.FileExists(t, others)
}
