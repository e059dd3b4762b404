package archtest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who imports the contract gets the contract, and not a single dependency with it.
func TestContractImportsStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	std := standard(t)
	for _, p := range packages(t) {
		if !p.in("pkg/events") && !p.in("pkg/webhook") {
			continue
		}
		for _, imp := range p.allImports() {
			own := strings.HasPrefix(imp, module+"/pkg/")
			require.True(t, std[imp] || own, "%s imports %s", p.ImportPath, imp)
		}
	}
}

// Services meet on the bus. An import would let one call another, or wait for it, behind the bus's back.
func TestServicesAreIslands(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		rest, inService := strings.CutPrefix(p.ImportPath, services)
		name, _, _ := strings.Cut(rest, "/")
		for _, imp := range p.allImports() {
			if !strings.HasPrefix(imp, services) {
				continue
			}
			switch {
			case inService:
				own := imp == services+name || strings.HasPrefix(imp, services+name+"/")
				require.True(t, own, "%s imports %s", p.ImportPath, imp)
			case p.in("internal"), p.in("pkg"):
				require.Fail(t, "shared code knows no service", "%s imports %s", p.ImportPath, imp)
			}
		}
	}
}

// A package that nothing but tests may import says so by its name, and binaries stay free of it.
func TestBinariesHoldNoTestCode(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if strings.HasSuffix(p.Name, "test") || p.in("test") {
			continue
		}
		for _, imp := range p.Imports {
			require.NotEqual(t, "testing", imp, p.ImportPath)
			ownTest := strings.HasPrefix(imp, module) && strings.HasSuffix(imp, "test")
			require.False(t, ownTest, "%s imports %s", p.ImportPath, imp)
		}
	}
}
