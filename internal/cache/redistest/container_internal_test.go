//go:build containers

package redistest

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Redis in a container does what one does that is a process.
func TestContainer(t *testing.T) {
	t.Parallel()
	require.NoError(t, docker(t.Context()))
	s := run(t, container, arguments([]string{"--maxmemory-policy", "noeviction"}))
	require.NotNil(t, s)
	s.Do("SET", "k", "v")
	require.Equal(t, "noeviction", s.Client().ConfigGet(t.Context(), "maxmemory-policy").Val()["maxmemory-policy"])

	s.Freeze()
	inside, err := exec.CommandContext(t.Context(), "docker", "inspect", "--format", "{{.State.Paused}}", s.container).Output()
	require.NoError(t, err)
	require.Equal(t, "true\n", string(inside))
	s.Thaw()
	require.Equal(t, "v", s.Client().Get(t.Context(), "k").Val())

	s.Kill()
	require.Error(t, s.Client().Ping(t.Context()).Err())
	require.True(t, s.Start(), "again, at the same port")
	require.Zero(t, s.Client().DBSize(t.Context()).Val(), "with nothing in it")
	s.Freeze()
	s.Kill()
	require.Error(t, exec.CommandContext(t.Context(), "docker", "inspect", s.container).Run(), "nothing is left")
	require.True(t, s.Start())
}
