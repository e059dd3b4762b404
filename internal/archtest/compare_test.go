package archtest_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// proofName matches the names of what proves something to who knows a secret, and which is therefore compared in a time that does
// not tell how much of it is right: crypto/hmac.Equal or crypto/subtle.
var proofName = regexp.MustCompile(`(?i)(signatures?|mac|proof|password|passphrase|secret|api_?key)$|^(got|want)?_?sig$`)

// comparers are the functions that tell by their time how much is equal.
var comparers = regexp.MustCompile(`^((bytes|slices)\.(Equal|Compare)|bytes\.HasPrefix|strings\.(EqualFold|Compare)|reflect\.DeepEqual)$`)

// comparedPlainly are the comparisons that tell nobody anything, each with its reason.
func comparedPlainly() map[string]string {
	return map[string]string{
		"cmd/mlsdmctl.SignHMAC":                             "is the name of a kind",
		"cmd/mlsdmctl/internal/hookcheck.BodySignature":     "says what came of a check",
		"internal/llm/keyring.Reveal":                       "compares our keys with our keys",
		"internal/llm/wire.Reveal":                          "compares our keys with our key",
		"internal/secret/vault.Reveal":                      "compares our token with our token",
		"internal/service.Reveal":                           "compares a value with the one before it",
		"pkg/webhook.secret":                                "looks whether there is anything",
		"pkg/webhook.VersionHMAC":                           "is the name of a version",
		"services/dispatcher.Reveal":                        "compares a key of ours with the one before it",
		"services/dispatcher/internal/keyring.schemeSecret": "is the name of a scheme",
		"services/dispatcher/internal/registry.SignHMAC":    "is the name of a kind",
		"services/dispatcher/internal/target.SignHMAC":      "is the name of a kind",
	}
}

// TestProofsAreComparedInConstantTime finds == and its like on what is called a signature, a MAC or a secret, or is one in plain.
func TestProofsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	known, used := comparedPlainly(), map[string]bool{}
	eachFile(t, func(p pkg, file *ast.File) {
		report := func(name string) {
			t.Helper()
			full := p.path() + "." + name
			used[full] = true
			require.Contains(t, known, full, "compare it with hmac.Equal or crypto/subtle, or say in comparedPlainly why not")
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && !isKnown(n.X) && !isKnown(n.Y) {
					reportProofs(report, n.X, n.Y)
				}
			case *ast.CallExpr:
				if comparers.MatchString(nameOf(n.Fun)) {
					reportProofs(report, n.Args...)
				}
			}
			return true
		})
	})
	for name := range known {
		require.True(t, used[name], "%s is in comparedPlainly and nowhere else: remove it", name)
	}
}

// reportProofs reports the names of those that are proofs.
func reportProofs(report func(string), compared ...ast.Expr) {
	for _, e := range compared {
		if name := lastName(e); proofName.MatchString(name) || name == "Reveal" {
			report(name)
		}
	}
}

// isKnown reports whether an expression is nothing that anybody could want to learn: a constant, nil, a length.
func isKnown(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false"
	case *ast.CallExpr:
		return nameOf(e.Fun) == "len"
	case *ast.CompositeLit:
		return len(e.Elts) == 0
	case *ast.ParenExpr:
		return isKnown(e.X)
	default:
		return false
	}
}

// nameOf returns a name as it is written, x or x.y.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x := nameOf(e.X); x != "" {
			return x + "." + e.Sel.Name
		}
	}
	return ""
}

// lastName returns what the value of an expression is called.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.CallExpr: // a conversion, or what is computed
		if name := lastName(e.Fun); name == "Reveal" || len(e.Args) != 1 {
			return name
		}
		return lastName(e.Args[0])
	case *ast.IndexExpr:
		return lastName(e.X)
	case *ast.SliceExpr:
		return lastName(e.X)
	case *ast.ParenExpr:
		return lastName(e.X)
	case *ast.StarExpr:
		return lastName(e.X)
	case *ast.UnaryExpr:
		return lastName(e.X)
	default:
		return ""
	}
}
