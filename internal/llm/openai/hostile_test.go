package openai_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
)

// TestHostileServers: whatever a provider answers, it costs no more than its bounds.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	t.Run("embed", func(t *testing.T) {
		hostiletest.Client{Most: 32 << 20, Ask: func(ctx context.Context, url string) error {
			a, err := openai.NewAdapter("acme", url, llm.NewHTTPClient(), openai.Options{})
			require.NoError(t, err)
			return embedOne(ctx, a, "key")
		}}.Run(t)
	})
}
