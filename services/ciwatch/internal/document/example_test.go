package document_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/document"
)

// The file that is there to begin with can be used.
func TestExampleFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../deploy/ciwatch/ciwatch.yaml")
	require.NoError(t, err)
	d := readExample(t, string(text))
	require.Len(t, d.Forges, 2)
	require.Len(t, d.Repositories, 3)
	require.Len(t, d.Rules, 5)
	for _, rule := range d.Rules {
		acts := rule.Recovery.Action != "none" && rule.Recovery.Action != "publish"
		require.Equal(t, acts, rule.Recovery.DryRun, "nothing is run again because a file was copied")
	}
}

// The example in the documentation can be used.
func TestExampleInDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../docs/ci.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\n```yaml\n")
	require.True(t, found)
	example, rest, found := strings.Cut(rest, "\n```\n")
	require.True(t, found)
	require.NotContains(t, rest, "```yaml", "there is one")
	d := readExample(t, example)
	require.Len(t, d.Rules, 1)
	require.Equal(t, "rerun_failed_jobs", d.Rules[0].Recovery.Action)
}

func readExample(t *testing.T, text string) document.Document {
	t.Helper()
	r := section.New("ciwatch.yaml")
	root, err := r.Document([]byte(text))
	require.NoError(t, err)
	d := document.Read(r, root, document.Defaults{Forge: document.GitHub})
	require.NoError(t, r.Err())
	return d
}
