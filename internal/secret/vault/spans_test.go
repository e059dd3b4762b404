package vault_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// TestSpans: requests are spans that name neither secrets nor mounts.
func TestSpans(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.put("payroll", map[string]any{"value": secrettest.Canary})
	cfg := config(t, f)
	tracer, names := secrettest.Spans(t, "payroll", "absent", "app", root)
	cfg.Tracer = tracer
	s := open(t, cfg)
	has(t, s, "vault:payroll", secrettest.Canary)
	lacks(t, s, "vault:absent", secret.ErrNotFound)
	require.Contains(t, names(), "GET /v1/{path}")
	require.Contains(t, names(), "GET /v1/auth/token/lookup-self")
}
