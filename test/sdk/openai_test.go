package sdk_test

import (
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/stretchr/testify/require"

	ours "github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
)

func TestOpenAI(t *testing.T) {
	t.Parallel()
	var p openai.ChatCompletionNewParams
	_, err := ours.NewAdapter("openai", "http://127.0.0.1:9", nil, ours.Options{})
	require.Error(t, err)
	_ = p
}
