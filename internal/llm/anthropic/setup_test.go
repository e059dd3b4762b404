package anthropic_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
)

// connect makes a client; what cfg leaves out is as usual.
func connect(t testing.TB, cfg anthropic.Config) *anthropic.Client {
	t.Helper()
	if cfg.Provider == "" {
		cfg.Provider = "anthropic"
	}
	if cfg.HTTP == nil {
		cfg.HTTP = llm.NewHTTPClient()
		t.Cleanup(cfg.HTTP.CloseIdleConnections)
	}
	c, err := anthropic.New(cfg)
	require.NoError(t, err)
	return c
}
