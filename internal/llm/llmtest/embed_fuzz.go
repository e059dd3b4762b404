package llmtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
