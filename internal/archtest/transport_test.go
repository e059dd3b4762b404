package archtest_test

import (
	"go/ast"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mustSay is what has to stand in every literal of a type that speaks to others: a client, a server or a TLS configuration whose
// zero value waits for ever, reads without end, follows where it is sent or speaks what is broken.
func mustSay() map[string][]string {
	return map[string][]string{
		"net/http.Client":    {"CheckRedirect", "Transport"},
		"net/http.Transport": {"DialContext", "IdleConnTimeout", "MaxResponseHeaderBytes", "TLSClientConfig", "TLSHandshakeTimeout"},
		"net/http.Server":    {"ReadHeaderTimeout"},
		"crypto/tls.Config":  {"MinVersion"},
	}
}

// mustNotSay is what a TLS configuration leaves to Go, or to nobody.
func mustNotSay() map[string][]string {
	return map[string][]string{
		"crypto/tls.Config": {"CipherSuites", "InsecureSkipVerify", "KeyLogWriter", "VerifyPeerCertificate"},
	}
}

// unsaid is what need not stand in a literal, each with its reason.
func unsaid() map[string]string {
	return map[string]string{
		"internal/health net/http.Transport DialContext":         "asks the process beside it, in the time of a probe",
		"internal/health net/http.Transport IdleConnTimeout":     "keeps no connection",
		"internal/health net/http.Transport TLSClientConfig":     "asks the process beside it, over plain HTTP",
		"internal/health net/http.Transport TLSHandshakeTimeout": "asks the process beside it, over plain HTTP",
	}
}

// TestWhatSpeaksToOthersIsBounded looks at every literal of these types; how the clients that libraries make for themselves behave,
// the tests with hostile servers see.
func TestWhatSpeaksToOthersIsBounded(t *testing.T) {
	t.Parallel()
	must, mustNot, except := mustSay(), mustNotSay(), unsaid()
	used, seen := map[string]bool{}, map[string]int{}
	eachFile(t, func(p pkg, file *ast.File) {
		names := importsOf(t, file)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				kind := qualified(names, n.Type)
				if must[kind] == nil {
					return true
				}
				seen[kind]++
				said := keysOf(n)
				for _, key := range must[kind] {
					exception := p.path() + " " + kind + " " + key
					if except[exception] != "" {
						used[exception] = true
						continue
					}
					require.Contains(t, said, key, "%s: a literal of %s must say it", p.path(), kind)
				}
				for _, key := range mustNot[kind] {
					require.NotContains(t, said, key, "%s: a literal of %s must not say it", p.path(), kind)
				}
				if kind == "crypto/tls.Config" {
					version := qualified(names, said["MinVersion"])
					require.Contains(t, []string{"crypto/tls.VersionTLS12", "crypto/tls.VersionTLS13"}, version, p.path())
				}
			case *ast.CallExpr:
				if fun, ok := n.Fun.(*ast.Ident); ok && fun.Name == "new" {
					require.Nil(t, must[qualified(names, n.Args[0])], "%s: a literal says what new does not", p.path())
				}
			case *ast.ValueSpec:
				require.Nil(t, must[qualified(names, n.Type)], "%s: a literal says what a variable does not", p.path())
			case *ast.AssignStmt:
				requireVerified(t, p, n)
			}
			return true
		})
	})
	require.ElementsMatch(t, slices.Collect(maps.Keys(except)), slices.Collect(maps.Keys(used)), "what is no exception any more")
	for kind := range must {
		require.Positive(t, seen[kind], "no literal of %s was found: the test does not see what it should", kind)
	}
}

// requireVerified sees that nobody has certificates not verified.
func requireVerified(t *testing.T, p pkg, n *ast.AssignStmt) {
	t.Helper()
	for i, left := range n.Lhs {
		to, ok := left.(*ast.SelectorExpr)
		if !ok || to.Sel.Name != "InsecureSkipVerify" || i >= len(n.Rhs) {
			continue
		}
		value, ok := n.Rhs[i].(*ast.Ident)
		require.True(t, ok && value.Name == "false", "%s: certificates are verified", p.path())
	}
}

// importsOf returns the import paths of a file by the names that it uses for them.
func importsOf(t *testing.T, file *ast.File) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		if spec.Name != nil {
			names[spec.Name.Name] = path
		} else {
			names[path[strings.LastIndex(path, "/")+1:]] = path
		}
	}
	return names
}

// qualified returns the path and the name that an expression such as http.Client stands for.
func qualified(names map[string]string, e ast.Expr) string {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok {
			return names[x.Name] + "." + sel.Sel.Name
		}
	}
	return ""
}

// keysOf returns what a literal says, by the names of the fields.
func keysOf(lit *ast.CompositeLit) map[string]ast.Expr {
	said := map[string]ast.Expr{}
	for _, element := range lit.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok {
				said[key.Name] = pair.Value
			}
		}
	}
	return said
}
