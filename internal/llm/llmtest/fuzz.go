package llmtest

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// mutated: whatever is done to an answer, what comes of it is a fault or a good answer, and nothing is left behind: the bubble of time
// does not end while a goroutine is there.
func (d *Dialect) mutated(t *testing.T) {
	several := d.text("first choice")
	if d.Tools {
		several = d.calls("Wait. ", Called{"call_1", "weather", `{"city":"Kyiv"}`}, Called{"call_2", "now", `{}`})
	}
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		all := some(Mutate(d.Answer(several)), mutations)
		require.Greater(t, len(all), 200)
		synctest.Test(t, func(t *testing.T) {
			for _, m := range all {
				d.survives(t, m, false)
			}
		})
	})
	t.Run("stream", func(t *testing.T) {
		t.Parallel()
		all := some(MutateStream(d.Stream(several)), mutations)
		require.Greater(t, len(all), 200)
		synctest.Test(t, func(t *testing.T) {
			for _, m := range all {
				d.survives(t, m, true)
			}
		})
	})
}

// mutations is how many mutations of each form are read.
const mutations = 500

// survives gives an adapter a mutation to read.
func (d *Dialect) survives(t *testing.T, m Mutation, streamed bool) {
	t.Helper()
	kind := wire.TypeJSON
	if streamed {
		kind = d.streamType()
	}
	r, body := d.recall(t, kind, strings.NewReader(m.Text))
	defer func() {
		if p := recover(); p != nil {
			require.FailNow(t, m.Name, "it panics: %v\n%.2000s", p, m.Text)
		}
	}()
	err := r.ask(t.Context(), hello(), streamed)
	require.True(t, body.closed.Load(), "%s: the body is not closed", m.Name)
	if err == nil {
		return // it has been checked
	}
	if fault := asFault(err); fault == nil || fault.Err == nil || fault.Err.Provider != d.Provider || fault.Class == "" {
		require.FailNow(t, m.Name, "%T: %v\n%.2000s", err, err, m.Text)
	}
}

// FuzzAnswer fuzzes whole answers. A package of an adapter has a target that calls it.
func FuzzAnswer(f *testing.F, d Dialect) {
	f.Helper()
	for _, reply := range d.Replies() {
		f.Add(d.Answer(reply))
	}
	for _, e := range append(d.AnswerErrors, d.Errors...) {
		f.Add(e.Body)
	}
	f.Fuzz(func(t *testing.T, body string) { d.survives(t, Mutation{"fuzzed", body}, false) })
}

// FuzzStream fuzzes streams. A package of an adapter has a target that calls it.
func FuzzStream(f *testing.F, d Dialect) {
	f.Helper()
	for _, reply := range d.Replies() {
		f.Add(strings.Join(d.Stream(reply), ""))
	}
	for _, e := range d.StreamErrors {
		f.Add(e.Body)
	}
	f.Fuzz(func(t *testing.T, body string) { d.survives(t, Mutation{"fuzzed", body}, true) })
}
