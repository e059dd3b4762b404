package lifecycle_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
)

// childEnv makes the test binary behave as a process with a stop; its value says how.
const childEnv = "LIFECYCLE_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv(childEnv); ok {
		child(mode)
		return
	}
	m.Run()
}

// child runs until it is told to stop. In the mode "stuck" it then never ends by itself.
func child(mode string) {
	exit := os.Exit //nolint:forbidigo // this is the main of a process
	ctx, stop := lifecycle.WithSignals(context.Background(), func() { exit(lifecycle.ExitKilled) })
	defer stop()
	err := lifecycle.Run(ctx, quiet(), time.Hour, func(ctx context.Context, _ *lifecycle.Runtime) error {
		fmt.Fprintln(os.Stdout, "running")
		<-ctx.Done()
		fmt.Fprintln(os.Stdout, "stopping:", context.Cause(ctx))
		if mode == "stuck" {
			select {}
		}
		return nil
	})
	exit(lifecycle.ExitCode(err))
}

// startChild returns a process that is running, and what it prints from here on.
func startChild(t *testing.T, mode string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+mode)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	out := bufio.NewReader(pipe)
	requireLine(t, out, "running\n")
	return cmd, out
}

func requireLine(t *testing.T, out *bufio.Reader, want string) {
	t.Helper()
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, want, line)
}

func TestFirstSignalStops(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			cmd, out := startChild(t, "clean")
			require.NoError(t, cmd.Process.Signal(s))
			requireLine(t, out, "stopping: signal: "+s.String()+"\n")
			_, err := io.Copy(io.Discard, out)
			require.NoError(t, err)
			require.NoError(t, cmd.Wait(), "a clean stop ends with 0")
		})
	}
}

func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	cmd, out := startChild(t, "stuck")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	requireLine(t, out, "stopping: signal: terminated\n")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, lifecycle.ExitKilled, exit.ExitCode())
}

func TestWithSignalsStop(t *testing.T) {
	t.Parallel()
	ctx, stop := lifecycle.WithSignals(t.Context(), func() { t.Error("nobody sent a signal") })
	require.NoError(t, ctx.Err())
	stop()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}
