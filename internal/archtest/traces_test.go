package archtest_test

import (
	"go/ast"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/scrub"
)

// TestTracesHoldNoContent: every attribute of a trace is on the list, and nothing is added to a span in another way.
func TestTracesHoldNoContent(t *testing.T) {
	t.Parallel()
	allowed := slices.Concat(scrub.Keys(), scrub.ContentKeys())
	eachFile(t, func(p pkg, file *ast.File) {
		names := importsOf(t, file)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				require.NotContains(t, []string{"RecordError", "AddEvent"}, sel.Sel.Name, "%s: it takes any text", p.path())
				if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] == "go.opentelemetry.io/otel/attribute" {
					require.NotEmpty(t, call.Args, p.path())
					key, ok := call.Args[0].(*ast.BasicLit)
					require.True(t, ok, "%s: the key of an attribute is written where it is used", p.path())
					text, err := strconv.Unquote(key.Value)
					require.NoError(t, err)
					require.True(t, slices.Contains(allowed, text), "%s: %s is not on the list of what may be traced (internal/telemetry/scrub/keys.go)", p.path(), text)
				}
			}
			return true
		})
	})
}
