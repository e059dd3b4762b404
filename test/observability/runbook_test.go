package observability_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sections returns the sections of the runbook, by their headings.
func sections(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	parts := strings.Split(string(read(t, "docs", "runbook.md")), "\n## ")
	for _, part := range parts[1:] {
		heading, text, ok := strings.Cut(part, "\n")
		require.True(t, ok)
		all[heading] = text
	}
	return all
}

// TestRunbook: every alert says what it is about, and has a section that says what to do; and no section is of an alert that is gone.
func TestRunbook(t *testing.T) {
	t.Parallel()
	said := sections(t)
	alerts := make(map[string]bool)
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		require.False(t, alerts[r.Alert], "two alerts are called %s", r.Alert)
		alerts[r.Alert] = true
		require.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		require.NotEmpty(t, r.Annotations["description"], r.Alert)
		require.Equal(t, "https://github.com/neuron7x/mlsdm-integrations/blob/main/docs/runbook.md#"+strings.ToLower(r.Alert), r.Annotations["runbook_url"])
		text, is := said[r.Alert]
		require.True(t, is, "docs/runbook.md has no section %s", r.Alert)
		for _, part := range []string{"**Users notice**", "**Look**", "**Do**"} {
			require.Contains(t, text, part, r.Alert)
		}
	}
	for heading := range said {
		require.True(t, alerts[heading], "docs/runbook.md has a section %s, and there is no such alert", heading)
	}
}

// TestRunbookCommands: the commands that the runbook names are there, with their flags.
func TestRunbookCommands(t *testing.T) {
	t.Parallel()
	s, err := running()
	require.NoError(t, err)
	commands := regexp.MustCompile("`mlsdmctl ([a-z][a-z -]*[a-z])([^`]*)`")
	found := commands.FindAllStringSubmatch(string(read(t, "docs", "runbook.md")), -1)
	require.NotEmpty(t, found)
	for _, command := range found {
		before, _, _ := strings.Cut(command[1], " --")
		words := strings.Fields(before)
		help, err := s.mlsdmctl(t, append(words, "--help")...)
		require.NoError(t, err, "%s: %s", command[0], help)
		require.Contains(t, help, "Usage: mlsdmctl "+strings.Join(words, " "), command[0])
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(command[0], -1) {
			require.Contains(t, help, flag, command[0])
		}
	}
}
