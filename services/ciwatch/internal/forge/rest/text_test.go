package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

func TestTextsAreOneShortLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "ab", rest.Text(" a\x00\n\u0085\u2028\u2029b\xff\x7f "))
	require.Equal(t, " кот ", rest.Printable("\t кот \r\n"))
	require.Equal(t, strings.Repeat("ё", 128), rest.Text(strings.Repeat("ё", 300)))
	require.Equal(t, strings.Repeat("ё", 127), strings.TrimPrefix(rest.Text("x"+strings.Repeat("ё", 300)), "x"), "no letter is cut in two")
	require.Equal(t, "limits: keep them", rest.FirstLine("\n limits: keep them\r\n\nlong story"))
	require.Len(t, rest.FirstLine(strings.Repeat("x", 1<<20)), rest.MaxText)
	require.Equal(t, "b", rest.First("", " \n", "b", "c"))
	require.Empty(t, rest.First("", "\x00"))
	require.Equal(t, "main", rest.Clip("main"))
	require.Equal(t, strings.Repeat("ё", 40)+"…", rest.Clip(strings.Repeat("ё", 41)))
}

func TestWebURL(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"https://gitlab.example/a/-/pipelines/1", "http://127.0.0.1:80/x?y=z"} {
		require.Equal(t, raw, rest.WebURL(raw))
	}
	for _, raw := range []string{
		"", "javascript:alert(1)", "//evil.example", "/a", "https://", "https://user@github.com/a", "ftp://github.com/a", ":", "https://a/\n",
		"https://a/" + strings.Repeat("x", rest.MaxURL), "https://a/" + strings.Repeat("ё", rest.MaxURL/3),
	} {
		require.Empty(t, rest.WebURL(raw), "%q", raw)
	}
}

func TestTimesAreSaneAndAscend(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	require.Equal(t, day, rest.Sane(day.In(time.FixedZone("east", 3600))))
	for _, year := range []int{-1, 1, 1969, 10000} {
		require.Zero(t, rest.Sane(time.Date(year, 5, 4, 10, 0, 0, 0, time.UTC)))
	}
	never := time.Time{}
	for what, c := range map[string]struct{ given, want [3]time.Time }{
		"in order":          {[3]time.Time{day, day.Add(1), day.Add(2)}, [3]time.Time{day, day.Add(1), day.Add(2)}},
		"backwards":         {[3]time.Time{day, day.Add(-1), day.Add(-2)}, [3]time.Time{day, day, day}},
		"first unknown":     {[3]time.Time{never, day, day.Add(1)}, [3]time.Time{day, day, day.Add(1)}},
		"only last known":   {[3]time.Time{never, never, day}, [3]time.Time{day, day, day}},
		"only first known":  {[3]time.Time{day, never, never}, [3]time.Time{day, day, day}},
		"unknown in middle": {[3]time.Time{day, never, day.Add(1)}, [3]time.Time{day, day.Add(1), day.Add(1)}},
		"nothing known":     {},
	} {
		got := c.given
		rest.Ascending(&got[0], &got[1], &got[2])
		require.Equal(t, c.want, got, what)
	}
}
