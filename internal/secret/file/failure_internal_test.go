package file

import (
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// What a file system says that no test can make it say, as who runs it may be root and the disk healthy.
func TestFailure(t *testing.T) {
	t.Parallel()
	for number, want := range map[syscall.Errno]error{
		syscall.EACCES: secret.ErrDenied, syscall.EPERM: secret.ErrDenied, syscall.ENOENT: secret.ErrNotFound, syscall.EIO: secret.ErrUnavailable,
		syscall.ESTALE: secret.ErrUnavailable, syscall.EMFILE: secret.ErrUnavailable, syscall.ENXIO: secret.ErrUnavailable,
	} {
		err := failure("/run/secrets/key", &fs.PathError{Op: "openat", Path: "key", Err: number})
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, "/run/secrets/key")
	}
}
