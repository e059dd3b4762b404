package openai_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
)

// dialect is OpenAI's.
func dialect() llmtest.Dialect {
	d := llmtest.OpenAI()
	d.New = func(t testing.TB, url string, client *http.Client) llm.Adapter {
		t.Helper()
		a, err := openai.NewAdapter("acme", url+"/v1", client, openai.Options{})
		require.NoError(t, err)
		return a
	}
	return d
}

func TestAdapter(t *testing.T) { // rows of it measure memory
	llmtest.RunAdapter(t, dialect())
}

func FuzzAnswer(f *testing.F) { llmtest.FuzzAnswer(f, dialect()) }

func FuzzStream(f *testing.F) { llmtest.FuzzStream(f, dialect()) }
