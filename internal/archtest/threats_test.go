package archtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThreatsAreShownByTests: every test that docs/security.md names is there, and every threat that it lists names one.
func TestThreatsAreShownByTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "security.md"))
	require.NoError(t, err)
	named := regexp.MustCompile("`((?:[a-z0-9_-]+/)*[a-z0-9_-]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	for _, found := range named.FindAllStringSubmatch(string(text), -1) {
		require.Contains(t, testsIn(t, found[1]), found[2], "docs/security.md names %s", found[0])
	}
	_, threats, ok := strings.Cut(string(text), "\n## Threats\n")
	require.True(t, ok)
	threats, _, _ = strings.Cut(threats, "\n## ")
	rows := 0
	for line := range strings.Lines(threats) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| threat |") {
			continue
		}
		rows++
		require.Regexp(t, named, line, "a threat without a test")
	}
	require.Greater(t, rows, 20)
}

// testsIn returns the names of the tests in a folder.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), filepath.FromSlash(dir), "*_test.go"))
	require.NoError(t, err)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range declared.FindAllStringSubmatch(string(text), -1) {
			names = append(names, found[1])
		}
	}
	return names
}
