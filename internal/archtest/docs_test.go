package archtest_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A package is a noun that one sentence can defend. The sentence stands in exactly one file.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		t.Run(p.path(), func(t *testing.T) {
			t.Parallel()
			docs := docsOf(t, p)
			require.Len(t, docs, 1, "%s needs one package comment", p.ImportPath)
			first, _, _ := strings.Cut(docs[0], "\n\n")
			if p.Name == "main" {
				require.True(t, strings.HasPrefix(first, "Command "+filepath.Base(p.Dir)+" "), "a command's comment starts with its name: %q", first)
			} else {
				require.True(t, strings.HasPrefix(first, "Package "+strings.TrimSuffix(p.Name, "_test")+" "), "a package's comment starts with its name: %q", first)
			}
			require.Contains(t, first, ".", "a comment is a sentence")
		})
	}
}

// docsOf returns the package comments of a package: those of its files, or of its tests if it has only tests.
func docsOf(t *testing.T, p pkg) []string {
	t.Helper()
	files := p.GoFiles
	if len(files) == 0 {
		files = slices.Concat(p.TestGoFiles, p.XTestGoFiles)
	}
	var docs []string
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		require.NoError(t, err)
		if doc := f.Doc.Text(); strings.TrimSpace(doc) != "" {
			docs = append(docs, doc)
		}
	}
	return docs
}

// A name that fits everything keeps nothing out.
func TestNoPackageIsADrawer(t *testing.T) {
	t.Parallel()
	drawers := []string{"common", "commons", "helper", "helpers", "misc", "model", "models", "shared", "util", "utils"}
	for _, p := range packages(t) {
		for _, part := range append(strings.Split(p.path(), "/"), p.Name) {
			require.NotContains(t, drawers, part, p.ImportPath)
		}
	}
}
