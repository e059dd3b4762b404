package protocol_test

import (
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

// document reads docs/protocol.md.
func document(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(natscli.Root(t), "docs", "protocol.md"))
	require.NoError(t, err)
	return string(content)
}

// settings returns the environment that the document starts the stack with, but for the address of the receiver.
func settings(t *testing.T, doc, url string) map[string]string {
	t.Helper()
	command, _, _ := strings.Cut(strings.ReplaceAll(block(t, doc, "sh"), "\\\n", " "), " mlsdmctl up")
	env := map[string]string{ // as mlsdmctl up has it by itself
		"WEBHOOK_ALLOW_LOOPBACK": "true", "WEBHOOK_SEAL_KEYS": base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}
	for setting := range strings.FieldsSeq(command) {
		name, value, ok := strings.Cut(setting, "=")
		require.True(t, ok, setting)
		env[name] = value
	}
	require.Equal(t, secret, env["WEBHOOK_SECRET"])
	env["WEBHOOK_URL"] = url
	return env
}

// It is not parallel: secretd reads secrets from the environment of the process.
func TestTheExamplesOfTheDocumentRun(t *testing.T) {
	doc := document(t)
	tool := filepath.Dir(natscli.Binary(t))
	url, webhooks := receiver(t)
	env := settings(t, doc, url)
	t.Setenv("DEMO_KEY", env["DEMO_KEY"])
	server := start(t, env)
	home := t.TempDir()

	steps := transcript(t, doc)
	require.Greater(t, len(steps), 20)
	for _, s := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		shell := exec.CommandContext(ctx, "sh", "-c", s.command)
		shell.Env = []string{
			"NATS_URL=" + server.URL(), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "NO_COLOR=1",
			"PATH=" + tool + string(os.PathListSeparator) + os.Getenv("PATH"),
		}
		output, _ := shell.CombinedOutput() // some commands are shown to fail; what they print says so
		cancel()
		requirePrints(t, s, string(output))
	}

	select {
	case got := <-webhooks:
		requireShown(t, block(t, doc, "http"), got)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the webhook that the document shows did not arrive")
	}
}

// requireShown checks that a webhook is the one that the document shows.
func requireShown(t *testing.T, shown string, got received) {
	t.Helper()
	head, body, ok := strings.Cut(shown, "\n\n")
	require.True(t, ok)
	lines := strings.Split(head, "\n")
	require.Equal(t, "POST /hook HTTP/1.1", lines[0])
	names := []string{"Accept-Encoding", "Content-Length"} // of HTTP, not ours
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		require.True(t, ok, line)
		require.True(t, matchesLine(value, got.header.Get(name)), "%s is %q, the document shows %q", name, got.header.Get(name), value)
		names = append(names, name)
	}
	for name := range got.header {
		require.True(t, containsFold(names, name), "the header %s is not in the document", name)
	}
	require.True(t, matchesLine(strings.TrimSpace(body), got.body), "the body is %s", got.body)
}

// containsFold reports whether a name is among others, in any case.
func containsFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
