package e2e_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

// programs are the commands under test, built when the first test wants one.
var programs programSet //nolint:gochecknoglobals // built once for all tests, and removed after the last of them

// programSet is a folder with the commands.
type programSet struct {
	once sync.Once
	dir  string
	out  []byte
	err  error
}

func TestMain(m *testing.M) {
	flag.Parse()
	// These tests wait for timers and for other processes more than they compute.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := parallel.Value.Set("8"); err != nil {
			panic(err)
		}
	}
	defer func() {
		if programs.dir != "" {
			_ = os.RemoveAll(programs.dir) // a temporary folder: what is left of it goes with the others
		}
	}()
	m.Run()
}

// program returns the path of a command as its users run it: built plainly, without the race detector.
func program(t *testing.T, name string) string {
	t.Helper()
	root := natscli.Root(t)
	programs.once.Do(func() { programs.build(root) })
	require.NoError(t, programs.err, "building the commands: %s", programs.out)
	return filepath.Join(programs.dir, name)
}

// build builds all of them; what was compiled for other tests need not be compiled again.
func (s *programSet) build(root string) {
	if s.dir, s.err = os.MkdirTemp("", "mlsdm-e2e-"); s.err != nil {
		return
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", s.dir+string(filepath.Separator), //nolint:noctx // it serves more than the test that comes first
		"./cmd/mlsdmctl", "./services/ciwatch/cmd/ciwatch", "./services/dispatcher/cmd/dispatcher")
	build.Dir = root
	s.out, s.err = build.CombinedOutput()
}
