package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module   = "github.com/neuron7x/mlsdm-integrations"
	services = module + "/services/"
)

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath   string
	Name         string
	Dir          string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Standard     bool
}

// path is where the package stands below the root of the repository.
func (p pkg) path() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// in says whether the package is the one at dir, or below it.
func (p pkg) in(dir string) bool {
	return p.path() == dir || strings.HasPrefix(p.path(), dir+"/")
}

// allImports are the imports of the package and of its tests, sorted.
func (p pkg) allImports() []string {
	all := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
	slices.Sort(all)
	return slices.Compact(all)
}

// packages lists every package of both modules, those with only tests included.
func packages(t *testing.T) []pkg {
	t.Helper()
	all := goList(t, "-tags", "integration", "work")
	require.NotEmpty(t, all)
	return all
}

// standard is the set of import paths of the standard library.
func standard(t *testing.T) map[string]bool {
	t.Helper()
	std := map[string]bool{"C": true}
	for _, p := range goList(t, "std") {
		std[p.ImportPath] = true
	}
	return std
}

func goList(t *testing.T, args ...string) []pkg {
	t.Helper()
	args = append([]string{
		"list",
		"-json=ImportPath,Name,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports,Standard",
	}, args...)
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(goOutput(t, args...))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, p)
	}
}

// goOutput runs the go command at the root of the repository.
func goOutput(t *testing.T, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root(t)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), &stderr)
	return string(out)
}

// root is the root of the repository, seen from this package.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	return dir
}
