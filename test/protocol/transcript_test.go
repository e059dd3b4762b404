package protocol_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is one command of a console block and what it prints.
type step struct {
	line    int // where it stands in the document
	command string
	prints  []string
}

// transcript returns the commands of every console block of a Markdown document, in order. A block is a fence marked
// console; in it, a line that starts with "$ " is a command, what follows is what it prints.
func transcript(t *testing.T, document string) []step {
	t.Helper()
	var steps []step
	inside := false
	for i, line := range strings.Split(document, "\n") {
		switch {
		case line == "```console":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && strings.HasPrefix(line, "$ "):
			steps = append(steps, step{line: i + 1, command: strings.TrimPrefix(line, "$ ")})
		case inside:
			require.NotEmpty(t, steps, "line %d: a console block starts with a command", i+1)
			last := &steps[len(steps)-1]
			last.prints = append(last.prints, line)
		}
	}
	return steps
}

// block returns the content of the one fence of the document that is marked with a language.
func block(t *testing.T, document, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(document, -1)
	require.Len(t, found, 1, language)
	return found[0][1]
}

// tidy makes what a command printed comparable: without empty lines, with every time of day the same, and with headers,
// which have no order, sorted.
func tidy(lines []string) []string {
	clock := regexp.MustCompile(`^\d\d:\d\d:\d\d\s?`)
	isHeader := regexp.MustCompile(`^(\[time\] )?[A-Z][A-Za-z-]*: `)
	var out []string
	headers := 0 // how many of the last lines are headers
	for _, line := range lines {
		line = strings.TrimSpace(clock.ReplaceAllString(line, "[time] "))
		if line == "" || line == "[time]" {
			continue
		}
		out = append(out, line)
		if isHeader.MatchString(line) {
			headers++
			slices.Sort(out[len(out)-headers:])
		} else {
			headers = 0
		}
	}
	return out
}

// requirePrints checks what a command printed. In what is expected, … stands for anything within a line, and a line of
// nothing else for any number of lines.
func requirePrints(t *testing.T, s step, output string) {
	t.Helper()
	want, got := tidy(s.prints), tidy(strings.Split(output, "\n"))
	require.True(t, matches(want, got), "docs/protocol.md, line %d: $ %s\nshould print\n\t%s\nprints\n\t%s",
		s.line, s.command, strings.Join(want, "\n\t"), strings.Join(got, "\n\t"))
}

// matches compares lines with patterns.
func matches(want, got []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == "…":
		return matches(want[1:], got) || len(got) > 0 && matches(want, got[1:])
	case len(got) == 0:
		return false
	default:
		return matchesLine(want[0], got[0]) && matches(want[1:], got[1:])
	}
}

// matchesLine compares one line with a pattern.
func matchesLine(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*")
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(got)
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want, got string
		ok        bool
	}{
		{"a\nb", "a\n\nb\n", true},
		{"a", "a\nb", false},
		{"a\nb", "a", false},
		{"a\n…", "a", true},
		{"…\nb\n…", "a\nb\nc\nd", true},
		{"…\nx\n…", "a\nb", false},
		{"10:15:30 Stored: …", "23:59:59 Stored: 5", true},
		{"10:15:30", "", true},
		{"Bb: 1\nAa: 2\n{}", "Aa: 2\nBb: 1\n\n{}", true},
		{`{"id":"echo-…","n":[0,…]}`, `{"id":"echo-12","n":[0,1]}`, true},
		{`{"id":"echo-…"}`, `{"id":"other"}`, false},
		{"a.c", "abc", false},
	} {
		got := matches(tidy(strings.Split(tc.want, "\n")), tidy(strings.Split(tc.got, "\n")))
		require.Equal(t, tc.ok, got, "%q %q", tc.want, tc.got)
	}
}
