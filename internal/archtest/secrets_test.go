package archtest_test

import (
	"go/ast"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// secretName matches the names of what must not be printed. A name that only speaks of one (its id, its file, its name, its
// public half, its hash) is another matter.
var (
	secretName  = regexp.MustCompile(`(?i)(secret|password|passphrase|token|api_?key|private|seed|credential)s?$|^(seal|signing|audit)_?key$`)
	aboutSecret = regexp.MustCompile(`(?i)(max|min|num|page|next|stop|first|last|total|prompt|completion|input|output|cached|reasoning|continue)_?tokens?$|^tokens$`)
)

// plainSecrets are the texts that may be called so, each with its reason. What is not here has to be of a type that cannot be
// printed: secret.Value.
func plainSecrets() map[string]string {
	return map[string]string{
		"cmd/mlsdmctl.toldSecret.Secret":                      "is printed: it is told once, to who made it, who asked for it to be printed",
		"internal/cache.lock.token":                           "says whose a lock is",
		"services/ciwatch/fakegithub.Options.Token":           "is what a make-believe GitHub asks for",
		"pkg/events.CIQuota.Credential":                       "is what a credential is called",
		"services/ciwatch/internal/forge.Quota.Credential":    "is what a credential is called",
		"services/ciwatch/internal/hooks.Source.Credential":   "is the name of a header",
		"services/ciwatch/internal/hooks.Source.credential":   "is what a function is asked about",
		"cmd/mlsdmctl.toldWebhookSecret.Secret":               "is printed: it is told once, to who made it, who asked for it to be printed",
		"services/ciwatch/fakegitlab.Options.Token":           "is what a make-believe GitLab asks for",
		"services/dispatcher.Config.Secrets":                  "are patterns of names",
		"services/dispatcher/internal/keyring.Record.SealKey": "is the id of a key",
	}
}

// TestSecretsAreNoPlainTexts finds struct fields and package variables that hold a secret in a type that prints it.
func TestSecretsAreNoPlainTexts(t *testing.T) {
	t.Parallel()
	known, found := plainSecrets(), map[string]bool{}
	eachFile(t, func(p pkg, file *ast.File) {
		for _, field := range printable(file) {
			full := p.path() + "." + field
			found[full] = true
			require.Contains(t, known, full, "it holds a secret and can be printed: make it a secret.Value, or say in plainSecrets why not")
		}
	})
	for name := range known {
		require.True(t, found[name], "%s is in plainSecrets and nowhere else: remove it", name)
	}
}

// printable returns the struct fields of a file whose names say that they hold a secret, and whose type is text.
func printable(file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		ast.Inspect(spec.Type, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || !isText(field.Type) {
				return true
			}
			for _, name := range field.Names {
				if secretName.MatchString(name.Name) && !aboutSecret.MatchString(name.Name) {
					found = append(found, spec.Name.Name+"."+name.Name)
				}
			}
			return true
		})
		return false
	})
	return found
}

// isText reports whether a type is a string, bytes, or some of these.
func isText(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name == "string" || t.Name == "byte"
	case *ast.StarExpr:
		return isText(t.X)
	case *ast.ArrayType:
		return isText(t.Elt)
	case *ast.MapType:
		return isText(t.Value)
	default:
		return false
	}
}
