package llmtest

import (
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// RunEmbed runs the contract of [llm.EmbedAdapter] on an adapter whose server speaks a dialect. It is not for tests that are parallel:
// rows of it measure memory.
func RunEmbed(t *testing.T, d EmbedDialect) {
	t.Helper()
	for name, row := range map[string]func(*EmbedDialect, *testing.T){
		"answers": (*EmbedDialect).answers,
	} {
		t.Run(name, func(t *testing.T) { row(&d, t) })
	}
}

// answers: the vectors arrive as they were sent, each at the place of its text.
func (d *EmbedDialect) answers(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ texts, dimensions int }{{1, 1}, {1, 8}, {2, 2}, {3, 1536}, {40, 16}} {
		t.Run(strconv.Itoa(size.texts)+" of "+strconv.Itoa(size.dimensions), func(t *testing.T) {
			t.Parallel()
			want := vectorsOf(size.texts, size.dimensions)
			reply := d.reply(want...)
			r := d.serve(t, d.says(reply))
			got, err := r.embed(t.Context(), texts(size.texts))
			require.NoError(t, err)
			require.Equal(t, want, got.Vectors)
			if d.Counts {
				require.Equal(t, reply.Tokens, got.PromptTokens)
			} else {
				require.Zero(t, got.PromptTokens)
			}
			require.EqualValues(t, 1, r.requests.Load())
		})
	}
	if d.Indexed {
		t.Run("in another order", func(t *testing.T) {
			t.Parallel()
			want := vectorsOf(5, 3)
			reply := d.reply(want...)
			slices.Reverse(reply.Items)
			got, err := d.serve(t, d.says(reply)).embed(t.Context(), texts(5))
			require.NoError(t, err)
			require.Equal(t, want, got.Vectors)
		})
	}
}

// check makes a call of two texts of which a failure is to come, and one request only.
func (d *EmbedDialect) check(t *testing.T, f Failing) *llm.Fault {
	t.Helper()
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	r := d.serve(t, Answer(status, f.Body, f.Header...))
	_, err := r.embed(t.Context(), texts(2))
	fault := d.fault(t, err)
	require.Equal(t, f.Class, fault.Class, "%v", fault)
	require.Equal(t, f.Code, fault.Err.Code, "%v", fault)
	require.Equal(t, f.Retryable, fault.Err.Retryable, "%v", fault)
	require.ErrorContains(t, fault, f.Says)
	require.EqualValues(t, 1, r.requests.Load(), "one request a call, whatever comes of it")
	return fault
}

// unsupportedLength is what a text that is too long has to be.
func unsupportedLength(f Failing) Failing {
	f.Name, f.Class, f.Code, f.Retryable = "too long", llm.ClassUnsupported, events.CodeInvalidArgument, false
	return f
}

// FuzzEmbed fuzzes whole answers. A package of an adapter has a target that calls it.
func FuzzEmbed(f *testing.F, d EmbedDialect) {
	f.Helper()
	f.Add(d.Answer(d.reply(vectorsOf(2, 4)...)))
	f.Fuzz(func(t *testing.T, body string) { d.survives(t, Mutation{"fuzzed", body}) })
}
