package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// eachFile hands over every file of what is built for users: no tests, and nothing that only tests import.
func eachFile(t *testing.T, do func(p pkg, file *ast.File)) {
	t.Helper()
	for _, p := range packages(t) {
		if strings.HasPrefix(p.path(), "test/") || strings.HasSuffix(p.path(), "test") {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			do(p, file)
		}
	}
}
