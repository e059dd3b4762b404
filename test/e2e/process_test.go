package e2e_test

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// patience is how long a test waits for what must happen; nothing takes it unless it fails.
const patience = process.Patience

// programs are the commands under test.
//
//nolint:gochecknoglobals // built once for all tests, and removed after the last of them
var programs = process.NewPrograms("./cmd/mlsdmctl", "./services/ciwatch/cmd/ciwatch", "./services/dispatcher/cmd/dispatcher",
	"./services/embedder/cmd/embedder")

func TestMain(m *testing.M) {
	flag.Parse()
	// These tests wait for timers and for other processes more than they compute.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := parallel.Value.Set("8"); err != nil {
			panic(err)
		}
	}
	defer programs.Remove()
	m.Run()
}

// start starts a command in an environment that holds env and nothing of the developer's. It is killed when the test ends.
func start(t *testing.T, name string, env map[string]string, args ...string) *process.Process {
	t.Helper()
	return process.Start(t, programs.Path(t, name), "", env, args...)
}
