package section_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		matches       bool
	}{
		{"*", "", true},
		{"*", "a/b/c", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"", "a", false},
		{"a/*", "a/b/c", true},
		{"a/*", "b/a/", false},
		{"*/mini", "a/b/mini", true},
		{"*mini*", "mini", true},
		{"a*b*c", "abbbc", true},
		{"a*b*c", "acb", false},
		{"a*b", "a*b", true},
		{"***", "x", true},
		{strings.Repeat("*a", 20), strings.Repeat("a", 5000) + "b", false},
	} {
		require.Equal(t, c.matches, section.Match(c.pattern, c.text), "%s %s", c.pattern, c.text)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	r := section.New("f.yaml")
	n, err := r.Document([]byte("# nothing\n"))
	require.NoError(t, err)
	require.Nil(t, n)
	_, err = r.Document([]byte("a: [\n"))
	require.ErrorContains(t, err, "f.yaml: yaml: line ")
	_, err = r.Document([]byte("a: 1\n---\nb: 2\n"))
	require.ErrorContains(t, err, "one YAML document")
}

func TestComplaints(t *testing.T) {
	t.Parallel()
	r := section.New("f.yaml")
	n, err := r.Document([]byte("a: &x 1\nb: *x\n? [1]\n: 2\nc: [&y 1]\nd: soon\ne: 1.5\nf: 9\ng: [*y]\nh:\ni: {<<: 1}\n"))
	require.NoError(t, err)
	values := map[string]*yaml.Node{}
	for key, value := range r.Pairs(n, "the file") {
		values[key.Value] = value
	}
	require.Empty(t, r.Items(values["c"], "c"))
	require.Zero(t, r.Duration(values["d"], "d", 0, time.Second))
	require.Zero(t, r.Whole(values["e"], "e", 0, 5))
	require.Zero(t, r.Number(values["f"], "f", 0, 5))
	require.Empty(t, r.Items(values["g"], "g"))
	require.Empty(t, r.Items(values["h"], "h"), "nothing")
	require.Empty(t, r.Text(values["c"], "c"))
	for range r.Pairs(values["h"], "h") {
		require.Fail(t, "nothing has no pairs")
	}
	for range r.Pairs(values["i"], "i") {
		require.Fail(t, "nothing is merged")
	}
	r.Items(values["d"], "d")
	want := []string{
		"f.yaml:1: anchors", "f.yaml:2: anchors", "f.yaml:3: a key must be a plain name", "f.yaml:5: anchors", "f.yaml:6: d is a duration of 0s to 1s",
		"f.yaml:7: e is a whole number of 0 to 5", "f.yaml:8: f is a number of 0 to 5", "f.yaml:9: anchors", "f.yaml:5: c is a text",
		"f.yaml:11: a key must be a plain name", "f.yaml:6: d is a list",
	}
	lines := strings.Split(r.Err().Error(), "\n")
	require.Len(t, lines, len(want), r.Err())
	for i, line := range lines {
		require.True(t, strings.HasPrefix(line, want[i]), "%s: %s", line, want[i])
	}
}

func TestNotAllIsTold(t *testing.T) {
	t.Parallel()
	r := section.New("f.yaml")
	for range 100 {
		r.Complain(&yaml.Node{Line: 3}, "no")
	}
	require.Len(t, strings.Split(r.Err().Error(), "\n"), 21)
	require.NoError(t, section.New("x").Err())
}
