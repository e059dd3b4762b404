package version_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/version"
)

func TestSemVer(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"v1.2.3": "1.2.3", "1.2.3-rc.1+b": "1.2.3-rc.1+b", "devel": "0.0.0-devel", "devel+1a2b3c.dirty": "0.0.0-devel+1a2b3c.dirty",
		"1a2b3c-dirty": "0.0.0-1a2b3c-dirty", "v1.2": "0.0.0-v1.2", "a b/c": "0.0.0-a-b-c", "v0.0.0-20260101-abc": "0.0.0-20260101-abc",
	} {
		require.Equal(t, want, version.SemVer(in), in)
	}
}
