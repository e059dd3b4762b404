package catalog_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The file that is there to begin with can be used.
func TestExampleFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../deploy/embedder/example.yaml")
	require.NoError(t, err)
	table := mustRead(t, string(text))
	m := resolve(t, table, table.Default())
	require.Equal(t, "tei/BAAI/bge-m3 huggingface/BAAI/bge-m3", targets(m))
	require.Equal(t, "BAAI/bge-m3/1024", m.SpaceID(1024))
	require.Equal(t, "openai/text-embedding-3-small", resolve(t, table, m.Other).Space)
	require.Equal(t, "query: ", resolve(t, table, "ollama/e5-base").Prefix("query"))
	require.Equal(t, "cohere/embed-v4.0@1/256", resolve(t, table, "cohere/embed-v4.0").SpaceID(256))
}
