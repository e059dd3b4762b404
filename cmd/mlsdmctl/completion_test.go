package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script prints the completion for a shell.
func script(t *testing.T, shell string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"completion", shell}, terminal{out: &out, err: &errs, lookup: func(string) (string, bool) { return "", false }})
	require.Zero(t, code, errs.String())
	return out.String()
}

func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	text := script(t, "bash")
	for typed, want := range map[string]string{
		"pub":                                  "publish",
		"completion fi":                        "fish",
		"webhooks exp":                         "export",
		"webhooks --json apply --pr":           "--prefix --prune",
		"webhooks deliveries re":               "replay",
		"webhooks deliveries list x --endpoin": "--endpoint",
		"webhooks update audit --bod":          "--body-signature",
	} {
		line := text + "\nCOMP_WORDS=(mlsdmctl " + typed + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _mlsdmctl; printf '%s\\n' \"${COMPREPLY[@]}\" | sort"
		got, err := exec.CommandContext(t.Context(), "bash", "--norc", "-c", line).CombinedOutput()
		require.NoError(t, err, "%s", got)
		require.Equal(t, want, strings.Join(strings.Fields(string(got)), " "), typed)
	}
}

func TestCompletionInFish(t *testing.T) {
	t.Parallel()
	text := script(t, "fish")
	require.Contains(t, text, `complete -c mlsdmctl -n '__mlsdmctl_at \'webhooks deliveries\'' -a replay -d `)
	require.Contains(t, text, `complete -c mlsdmctl -n '__mlsdmctl_at \'webhooks apply\'' -l prune -d `)
	require.Contains(t, text, `complete -c mlsdmctl -n '__mlsdmctl_at \'completion\'' -a 'zsh'`)
}
