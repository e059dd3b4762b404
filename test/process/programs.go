package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

// Programs are commands of this module and of what it needs, built when the first test wants one: as their users run them,
// without the race detector.
type Programs struct {
	packages []string
	once     sync.Once
	dir      string
	out      []byte
	err      error
}

// NewPrograms names the packages of the commands, such as "./cmd/mlsdmctl".
func NewPrograms(packages ...string) *Programs { return &Programs{packages: packages} }

// Path returns the path of the command of that name.
func (s *Programs) Path(t testing.TB, name string) string {
	t.Helper()
	root := natscli.Root(t)
	s.once.Do(func() { s.build(root) })
	require.NoError(t, s.err, "building the commands: %s", s.out)
	return filepath.Join(s.dir, name)
}

// build builds all of them; what was compiled for other tests need not be compiled again.
func (s *Programs) build(root string) {
	if s.dir, s.err = os.MkdirTemp("", "mlsdm-programs-"); s.err != nil {
		return
	}
	args := append([]string{"build", "-ldflags=-s -w", "-o", s.dir + string(filepath.Separator)}, s.packages...)
	build := exec.Command("go", args...) //nolint:noctx // it serves more than the test that comes first
	build.Dir = root
	s.out, s.err = build.CombinedOutput()
}

// Remove removes what was built, after the last test.
func (s *Programs) Remove() {
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // a temporary folder: what is left of it goes with the others
	}
}
