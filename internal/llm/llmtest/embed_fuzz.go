package llmtest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// mutated: whatever is done to an answer, what comes of it is a fault or a good answer, and nothing is left behind: the bubble of time
// does not end while a goroutine is there.
func (d *EmbedDialect) mutated(t *testing.T) {
	replies := map[string]EmbedReply{"numbers": d.reply([]float32{0.25, -1.5e-7}, []float32{3, 4})}
	if d.Base64 {
		replies["base64"] = d.raw(Packed(0.25, -1.5e-7), Packed(3, 4))
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := some(Mutate(d.Answer(reply)), mutations)
			require.Greater(t, len(all), 200)
			synctest.Test(t, func(t *testing.T) {
				for _, m := range all {
					d.survives(t, m)
				}
			})
		})
	}
}

// survives gives an adapter a mutation to read: what comes of it is a fault or a good answer.
func (d *EmbedDialect) survives(t *testing.T, m Mutation) {
	t.Helper()
	r, body := d.recall(t, strings.NewReader(m.Text))
	defer func() {
		if p := recover(); p != nil {
			require.FailNow(t, m.Name, "it panics: %v\n%.2000s", p, m.Text)
		}
	}()
	_, err := r.embed(t.Context(), texts(2))
	require.True(t, body.closed.Load(), "%s: the body is not closed", m.Name)
	if err == nil {
		return // it has been checked
	}
	if fault := asFault(err); fault == nil || fault.Err == nil || fault.Err.Provider != d.Provider || fault.Class == "" {
		require.FailNow(t, m.Name, "%T: %v\n%.2000s", err, err, m.Text)
	}
}

// FuzzEmbed fuzzes whole answers. A package of an adapter has a target that calls it.
func FuzzEmbed(f *testing.F, d EmbedDialect) {
	f.Helper()
	f.Add(d.Answer(d.reply(vectorsOf(2, 4)...)))
	f.Add(d.Answer(d.reply(vectorsOf(1, 1)...)))
	f.Add(d.Answer(d.raw(Packed(1, 2), Packed(3, 4))))
	f.Add(d.Answer(d.raw(`[[1,2]]`, `[1e999]`)))
	f.Add(d.Error("it says why"))
	for _, e := range slices.Concat(d.AnswerErrors, d.Errors) {
		f.Add(e.Body)
	}
	f.Fuzz(func(t *testing.T, body string) { d.survives(t, Mutation{"fuzzed", body}) })
}

// SurvivesLocal gives a text to a model that runs in this process: it has a vector, or nothing in it. For a package's own fuzz target.
func SurvivesLocal(t *testing.T, a llm.EmbedAdapter, dimensions int, text string) {
	t.Helper()
	call := &llm.EmbedCall{Texts: []string{text}, Truncate: true}
	got, err := a.Embed(t.Context(), call)
	if err != nil {
		fault := asFault(err)
		require.NotNil(t, fault, "%T: %v", err, err)
		require.Equal(t, llm.ClassCaller, fault.Class)
		return
	}
	require.NoError(t, CheckEmbedded(call, got))
	require.Len(t, got.Vectors[0], dimensions)
	require.Positive(t, got.Tokens[0])
}
