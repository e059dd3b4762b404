package history

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	for _, c := range []cursor{
		{stream: events.StreamAttempts, next: 1, end: 1},
		{stream: events.StreamDeadLetters, next: math.MaxUint64, index: math.MaxInt, end: math.MaxUint64},
	} {
		read, err := parseCursor(c.String(), c.stream)
		require.NoError(t, err)
		require.Equal(t, c, read)
		require.LessOrEqual(t, len(c.String()), 128)
		require.NotContains(t, c.String(), ":", "it stands behind one on command lines")
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(cursor{stream: events.StreamAttempts, next: 7, index: 3, end: 9}.String())
	f.Add("QVRURU1QVFMgMSAtMSAx")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text, events.StreamAttempts)
		if err != nil {
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
			return
		}
		require.GreaterOrEqual(t, c.index, 0)
		if text != "" {
			require.Equal(t, text, c.String(), "one text a place")
			require.Positive(t, c.next)
		}
	})
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for pattern, fits := range map[string]map[string]bool{
		"":         {"a": true, "a.b": true},
		">":        {"a": true, "a.b": true},
		"*":        {"a": true, "a.b": false},
		"a.*":      {"a.b": true, "a": false, "a.b.c": false, "b.a": false},
		"a.>":      {"a.b": true, "a": false, "a.b.c": true},
		"*.b":      {"a.b": true, "a.c": false},
		"a.b":      {"a.b": true, "a.b.c": false, "a": false},
		"a.*.c.>":  {"a.b.c": false, "a.b.c.d": true},
		"long.*.*": {"long.a.b": true, "long.a": false},
	} {
		require.NoError(t, checkPattern(pattern))
		for eventType, want := range fits {
			require.Equal(t, want, matches(pattern, eventType), "%s of %s", eventType, pattern)
		}
	}
	for _, pattern := range []string{".", "a.", "a..b", ">.a", "a b", "a.**", "ä", "a>"} {
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(checkPattern(pattern)), pattern)
	}
}
