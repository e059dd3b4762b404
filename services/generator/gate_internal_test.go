package generator

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
)

// counts are counters that nobody has used.
type counts struct{}

func (counts) Increment(_ context.Context, _, _ string, by int64) (int64, error) { return by, nil }
func (counts) Connected() error                                                  { return nil }
func (counts) Closed() <-chan struct{}                                           { return nil }
func (counts) Subjects() events.Subjects                                         { return events.Subjects{} }

func TestNoNumberIsTooLargeToBeLimited(t *testing.T) {
	t.Parallel()
	rule := limits.Rule{Caller: "*", Provider: "*", Model: "*", TokensPerMinute: 1000}
	g := &gate{limiter: limits.New(limits.Config{Rules: []limits.Rule{rule}}, counts{}, limits.Options{})}
	for _, most := range []int{1 << 62, 1 << 61, math.MaxInt} {
		for _, n := range []int{1, 2, 4, 128} {
			req := &events.ChatRequest{Prompt: "hello", MaxCompletionTokens: &most, N: &n}
			_, err := g.Reserve(t.Context(), engine.Attempt{Request: req})
			require.Equal(t, events.CodeRateLimited, events.CodeOf(err), "%d times %d tokens", n, most)
		}
	}
}
