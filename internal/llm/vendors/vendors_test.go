package vendors_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// TestVendors: every name that an error lists has a protocol by which the API can be asked, and an address that is one.
func TestVendors(t *testing.T) {
	t.Parallel()
	for api, least := range map[vendors.API]int{vendors.Chat: 20, vendors.Embeddings: 15} {
		names := strings.Split(strings.ReplaceAll(vendors.Names(api), " and ", ", "), ", ")
		require.Len(t, names, least)
		for _, name := range names {
			v, known := vendors.Lookup(name, api)
			require.True(t, known, name)
			require.Equal(t, name, v.Name)
			require.True(t, v.Protocol.Speaks(api), name)
			if v.Protocol == vendors.Local {
				require.Empty(t, v.BaseURL)
				continue
			}
			_, err := wire.CheckBaseURL(v.BaseURL)
			require.NoError(t, err, name)
		}
		_, known := vendors.Lookup("acme", api)
		require.False(t, known)
	}
	_, known := vendors.Lookup("anthropic", vendors.Embeddings)
	require.False(t, known, "it makes none")
	_, known = vendors.Lookup("tei", vendors.Chat)
	require.False(t, known)
}

func TestProtocols(t *testing.T) {
	t.Parallel()
	require.Equal(t, "openai, azure, anthropic, cohere, huggingface, ollama and local", vendors.Protocols(vendors.Chat))
	require.Equal(t, "openai, azure, cohere, huggingface, tei, ollama and local", vendors.Protocols(vendors.Embeddings))
	require.False(t, vendors.Anthropic.Speaks(vendors.Embeddings))
	require.False(t, vendors.Protocol("grpc").Speaks(vendors.Chat))
	require.Equal(t, "one", vendors.List([]string{"one"}))
	require.Empty(t, vendors.List(nil))
}
