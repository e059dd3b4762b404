package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		matches       bool
	}{
		{"main", "main", true},
		{"main", "Main", false},
		{"main", "main2", false},
		{"main", "", false},
		{"*", "", true},
		{"*", "main", true},
		{"*", "release/1", false},
		{"**", "release/1", true},
		{"**", "", true},
		{"***", "release/1", true},
		{"release/*", "release/1", true},
		{"release/*", "release/", true},
		{"release/*", "release/1/hotfix", false},
		{"release/**", "release/1/hotfix", true},
		{"release/*", "a/release/1", false},
		{"**/x", "x", false},
		{"**/x", "a/b/x", true},
		{"*.yml", "ci.yml", true},
		{"*.yml", "ci-yml", false}, // a dot is a dot
		{"ci.yml", "ci-yml", false},
		{"Deploy*", "Deploy to prod", true},
		{"Deploy*", "deploy", false},
		{"a*b*c", "abbbc", true},
		{"a*b*c", "acb", false},
		{"CI * nightly", "CI * nightly", true},
		// Nothing else stands for anything but itself.
		{"release-1.0+x", "release-1.0+x", true},
		{"(a|b)*", "a", false},
		{"(a|b)*", "(a|b)c", true},
		{"[ab]*", "a", false},
		{"a?*", "a", false},
		{`a\*`, "a*", false},
		{`a\*`, `a\b`, true},
		{"^a$*", "a", false},
		{`\Aa\z*`, "a", false},
		{"a*", "a\nb", true},
		{"a**", "a\n/b", true},
		{"*b", "a\nb", true},
		{"main*", "x\nmain", false},
		{"*", "\xff", true},
		{"гілка-*", "гілка-1", true},
		{strings.Repeat("*a", 100), strings.Repeat("a", 255) + "b", false},
	} {
		p, err := policy.NewPattern(c.pattern)
		require.NoError(t, err, c.pattern)
		require.Equal(t, c.matches, p.Match(c.text), "%s %q", c.pattern, c.text)
		require.Equal(t, c.pattern, p.String())
		name, ok := p.Literal()
		require.Equal(t, c.pattern, name)
		require.Equal(t, !strings.Contains(c.pattern, "*"), ok)
	}
}

func TestWrongPatterns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "a pattern is empty",
		strings.Repeat("x", 513): "a pattern has 513 bytes; at most 512 are allowed",
		"a\nb":                   "has a control character",
		"a\x7f*":                 "has a control character",
		"\xff*":                  "cannot be used",
	} {
		_, err := policy.NewPattern(text)
		require.ErrorContains(t, err, want)
	}
	_, err := policy.NewPattern(strings.Repeat("*a", 256))
	require.NoError(t, err)
}

// FuzzPattern: a pattern matches itself, and what it was made of.
func FuzzPattern(f *testing.F) {
	f.Add("release/*", "1")
	f.Add("a**b.(", "/")
	f.Fuzz(func(t *testing.T, text, star string) {
		p, err := policy.NewPattern(text)
		if err != nil {
			return
		}
		require.True(t, p.Match(text) || strings.Contains(text, "*"))
		if !strings.Contains(star, "/") {
			require.True(t, p.Match(strings.ReplaceAll(text, "*", star)), "%q %q", text, star)
		}
		if _, ok := p.Literal(); ok {
			require.False(t, p.Match(text+"x"))
		}
	})
}
