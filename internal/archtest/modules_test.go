package archtest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// goMod is what `go mod edit -json` says of a go.mod file.
type goMod struct {
	Require []struct {
		Path     string
		Indirect bool
	}
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

// direct are the modules that the module itself imports.
func (m goMod) direct() []string {
	var paths []string
	for _, r := range m.Require {
		if !r.Indirect {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

func readGoMod(t *testing.T, file string) goMod {
	t.Helper()
	var m goMod
	require.NoError(t, json.Unmarshal([]byte(goOutput(t, "mod", "edit", "-json", file)), &m))
	return m
}

// The root builds pkg from its own tree, also where go.work is switched off (image builds); any other
// replacement would give our users other code than we tested.
func TestOnlyPkgIsReplaced(t *testing.T) {
	t.Parallel()
	root := readGoMod(t, "go.mod")
	require.Len(t, root.Replace, 1)
	require.Equal(t, module+"/pkg", root.Replace[0].Old.Path)
	require.Equal(t, "./pkg", root.Replace[0].New.Path)
	require.Empty(t, readGoMod(t, "pkg/go.mod").Replace)
}

// Who imports pkg gets the NATS client and its keys, and nothing else.
func TestPkgRequiresTheBusAndNothingElse(t *testing.T) {
	t.Parallel()
	allowed := []string{"github.com/nats-io/nats.go", "github.com/nats-io/nkeys"}
	require.Subset(t, allowed, readGoMod(t, "pkg/go.mod").direct())
}
