package embedder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestMore: of two who serve a model, the one is heard that tells the caller more, whoever was asked first.
func TestMore(t *testing.T) {
	t.Parallel()
	fault := func(class llm.Class, code events.Code, after time.Duration) *llm.Fault {
		e := events.Errorf(code, "%s", class)
		e.RetryAfter = after
		return &llm.Fault{Class: class, Err: e}
	}
	order := []*llm.Fault{
		fault(llm.ClassAnswer, events.CodeUnavailable, 0),
		fault(llm.ClassNetwork, events.CodeUnavailable, 0),
		fault(llm.ClassLimit, events.CodeRateLimited, time.Second),
		fault(llm.ClassLimit, events.CodeRateLimited, time.Minute),
		fault(llm.ClassKey, events.CodeUnauthenticated, 0),
		fault(llm.ClassModel, events.CodeNotFound, 0),
	}
	for i, better := range order {
		for _, worse := range order[i+1:] {
			require.True(t, more(better, worse), "%s, %s", better.Class, worse.Class)
			require.False(t, more(worse, better), "%s, %s", worse.Class, better.Class)
		}
		require.False(t, more(better, better), "who was asked first is heard")
	}
}
