package openai_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// TestHostileServers: whatever a provider answers, it costs no more than its bounds.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	client := func(t *testing.T, url string) *openai.Client {
		t.Helper()
		c, err := openai.New(openai.Config{Provider: "acme", BaseURL: url, Key: secret.NewValue("key"), HTTP: llm.NewHTTPClient()})
		require.NoError(t, err)
		return c
	}
	t.Run("embed", func(t *testing.T) {
		hostiletest.Client{Most: 32 << 20, Ask: func(ctx context.Context, url string) error {
			_, err := client(t, url).Embed(ctx, llm.EmbedRequest{Model: "m", Texts: []string{"hello"}})
			return err
		}}.Run(t)
	})
}
