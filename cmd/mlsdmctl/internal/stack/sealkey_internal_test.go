package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSealKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	key, err := keptKey(dir, sealKeyFile)
	require.NoError(t, err)
	require.Len(t, key, 44)
	info, err := os.Stat(filepath.Join(dir, sealKeyFile))
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "nobody else reads it")
	again, err := keptKey(dir, sealKeyFile)
	require.NoError(t, err)
	require.Equal(t, key, again)
}

func TestSealKeyFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, sealKeyFile)))
	_, err := keptKey(dir, sealKeyFile)
	require.ErrorIs(t, err, os.ErrExist)
	require.NoFileExists(t, elsewhere)
}
