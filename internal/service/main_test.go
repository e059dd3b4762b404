package service_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
)

// childEnv makes the test binary the main program of a service.
const childEnv = "SERVICE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		m.Run()
		return
	}
	e := newExample()
	close(e.finish)
	service.Main("embedder", "An example.", e.build)
}

// A real process: the environment, a signal, and the exit status.
func TestMainProgram(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(
		os.Environ(), childEnv+"=1", "NATS_URL="+bustest.Start(t).URL(), "MLSDM_ADMIN_ADDR=off", "MLSDM_LOG_FORMAT=text",
	)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var log strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		log.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "msg=running") {
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		}
	}
	require.NoError(t, cmd.Wait(), log.String())
	require.Contains(t, log.String(), `msg=stopping service=embedder reason="signal: terminated"`)
	require.Contains(t, log.String(), "msg=stopped")
}

func TestMainProgramWrongUse(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "--nonsense")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 2, exit.ExitCode())
	require.Contains(t, string(out), "embedder: unknown flag --nonsense")
}
