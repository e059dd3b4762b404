package llmtest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// LocalDialect is what [RunLocal] has to know of a model that runs in this process.
type LocalDialect struct {
	// Provider is the name that every error has to carry, Model the model's.
	Provider, Model string
	// Answer is what the model says to a prompt.
	Answer func(prompt string) string
	// Refuses is that of [Dialect].
	Refuses map[string]string
}

// RunLocal runs the contract of [llm.Adapter], as far as it concerns a model that no server answers for.
func RunLocal(t *testing.T, d LocalDialect, a llm.Adapter) {
	t.Helper()
	wire := &Dialect{Provider: d.Provider}
	r := &rig{d: wire, adapter: a}
	ask := func(t *testing.T, text string) *llm.Call {
		t.Helper()
		return &llm.Call{Model: d.Model, Request: request(t, text)}
	}
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		for _, prompt := range []string{"hello", "one two  three\nfour", "naïve 日本語 🙂"} {
			text, err := json.Marshal(events.ChatRequest{Prompt: prompt})
			require.NoError(t, err)
			call := &llm.Call{Model: d.Model, Request: &events.ChatRequest{Prompt: prompt}}
			out, err := r.chat(t.Context(), call)
			require.NoError(t, err)
			require.Equal(t, Said{Text: d.Answer(prompt), Finish: events.FinishStop}, out.said[0])
			require.NotNil(t, out.usage)
			streamed, _, err := r.stream(t.Context(), call)
			require.NoError(t, err)
			require.Equal(t, out, streamed)
			after, err := json.Marshal(call.Request)
			require.NoError(t, err)
			require.JSONEq(t, string(text), string(after), "the request is the caller's and stays as it was")
		}
	})
	t.Run("refusals name the field", func(t *testing.T) {
		t.Parallel()
		for field, text := range d.Refuses {
			for _, streamed := range []bool{false, true} {
				fault := wire.fault(t, r.ask(t.Context(), ask(t, text), streamed))
				require.Equal(t, llm.ClassUnsupported, fault.Class)
				require.ErrorContains(t, fault, field)
			}
		}
	})
	t.Run("a reader that gives up", func(t *testing.T) {
		t.Parallel()
		enough, calls := errors.New("enough"), 0
		err := a.Stream(t.Context(), ask(t, `{}`), func(*events.ChatChunk) error {
			calls++
			return enough
		})
		require.Equal(t, enough, err)
		require.Equal(t, 1, calls)
	})
	t.Run("ended contexts", func(t *testing.T) {
		both(t, func(t *testing.T, streamed bool) {
			checkEnded(t, func(ctx context.Context) error { return wire.fault(t, r.ask(ctx, ask(t, `{}`), streamed)) })
			late := &llm.Fault{Class: llm.ClassTimeout, Err: events.Errorf(events.CodeDeadlineExceeded, "too late")}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(late)
			require.Equal(t, error(late), r.ask(ctx, ask(t, `{}`), streamed))
		})
	})
}
