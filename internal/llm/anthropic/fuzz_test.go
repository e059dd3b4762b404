package anthropic_test

import (
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
)

func FuzzAnswer(f *testing.F) { llmtest.FuzzAnswer(f, dialect()) }

func FuzzStream(f *testing.F) { llmtest.FuzzStream(f, dialect()) }
