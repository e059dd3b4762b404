package archtest_test

import (
	"go/ast"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// traced are the attributes that traces may have: names, numbers and codes. What people write, prompts, completions and payloads
// above all, is not among them.
func traced() []string {
	return []string{
		"http.request.method", "http.request.resend_count", "http.response.status_code", "http.route", "server.address",
		"messaging.consumer.group.name", "messaging.destination.template", "messaging.message.id", "messaging.nats.attempt",
		"messaging.operation.name", "messaging.operation.type", "messaging.system",
		"mlsdm.ci.forge", "mlsdm.ci.outcome", "mlsdm.ci.webhook", "mlsdm.endpoint.id", "mlsdm.event.type", "service.name", "service.version",
	}
}

// TestTracesHoldNoContent: every attribute of a trace is on the list, and nothing is added to a span in another way.
func TestTracesHoldNoContent(t *testing.T) {
	t.Parallel()
	allowed, found := traced(), map[string]bool{}
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
					require.Contains(t, allowed, text, "%s: not on the list of what may be traced", p.path())
					found[text] = true
				}
			}
			return true
		})
	})
	for _, key := range allowed {
		require.True(t, found[key], "nobody traces %s: remove it from the list", key)
	}
}
