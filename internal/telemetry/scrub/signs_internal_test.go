package scrub

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// everything applies all rules, whatever signs a text shows.
func (s *Scrubber) everything(text string) string {
	for _, r := range s.rules {
		text = r.apply(text)
	}
	return text
}

// FuzzSigns holds the short way against the long one: what a rule would find, its signs announce.
func FuzzSigns(f *testing.F) {
	for _, text := range []string{
		"SUAM5ZXXG3OSHCJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTU", "4111 1111-1111.1111", "+49 170 1234567", "+49/170/1234567", "(415) 555-2671",
		"415.555.2671", "0049/170 1234567", "0170/1234567", "s.abcdefGHIJKL0123456789", "SG.abcdefghij.abcdefghij", "x 5555555555554444 y", "a%40b.example",
		"https://a:b@c", "Basic dXNlcjpwYXNzd29yZA==", "-----BEGIN KEY----- x", "key=value", "+4(9)17-01/234 567", "4111  1111", "00491-7012345", "sk-proj-abcdefGHIJKL0123",
	} {
		f.Add(text)
		f.Add("a" + text + "1")
		f.Add(text + " " + text)
	}
	s := New(Options{})
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxValue {
			return
		}
		require.Equal(t, s.everything(text), s.search(text))
	})
}

// What is remembered is only what may be told, and no long text is.
func TestCleanTexts(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	long := strings.Repeat("word ", 100)
	for range 2 { // the second time it is known
		require.Equal(t, "openai/gpt-4o-mini", s.Text("openai/gpt-4o-mini"))
		require.Equal(t, long, s.Text(long))
		require.Equal(t, "password="+Redacted, s.Text("password=correcthorse"))
		require.Equal(t, "a\ufffdb", s.Text("a\xffb"))
		require.Equal(t, Cut, s.text("openai/gpt-4o-mini-2024", 8))
	}
	require.True(t, s.clean.has("openai/gpt-4o-mini"))
	for _, text := range []string{long, "password=correcthorse", "a\xffb", "openai/gpt-4o-mini-2024"} {
		require.False(t, s.clean.has(text), text)
	}
}
