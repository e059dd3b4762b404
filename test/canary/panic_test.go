package canary_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// TestPanics: what Go prints when a program ends badly shows no secret that the program holds.
func TestPanics(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"value", "struct", "pointer", "text", "error", "nil", "index", "goroutine"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			canary := newCanary()
			p := process.Start(t, programs.Path(t, "panics"), "", map[string]string{"KEY": canary, "GOTRACEBACK": "system"}, how)
			require.Equal(t, 2, p.Exit())
			require.Contains(t, p.Errs.String(), "panic: ")
			require.Contains(t, p.Errs.String(), "main.fail")
			requireNowhere(t, canary, map[string][]byte{"the panic": []byte(p.Out.String() + p.Errs.String())})
		})
	}
}
