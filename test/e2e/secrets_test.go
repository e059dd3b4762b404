package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestSecretsFromTheCommandLine is somebody who keeps a secret in a mounted file, and looks after it.
func TestSecretsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	const first, second = "first-canary-31337", "second-canary-31337"
	mount := t.TempDir()
	keep := func(value string) {
		t.Helper()
		next := filepath.Join(mount, ".next")
		require.NoError(t, os.WriteFile(next, []byte(value), 0o600))
		require.NoError(t, os.Rename(next, filepath.Join(mount, "deploy"))) // never half a value
	}
	keep(first)
	rules := filepath.Join(t.TempDir(), "secrets.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(`
secrets:
  deploy_key: ["file:`+mount+`/deploy"]
  lost_key: ["file:`+mount+`/lost"]
policy:
  ops: {get: ["*"], list: ["*"], refresh: ["*"]}
  reader: [deploy_key]
`), 0o600))
	stack := startUp(t, map[string]string{"SECRETD_CONFIG": rules, "SECRETD_FILE_ROOTS": mount})
	as := func(caller string, status int, args ...string) (out, errs string) {
		t.Helper()
		return stack.mlsdmctl(t, status, append([]string{"--caller", caller, "secrets"}, args...)...)
	}

	out, _ := as("ops", 0)
	require.Regexp(t, `deploy_key +unknown`, out)
	require.Regexp(t, `lost_key +unknown`, out)
	out, _ = as("reader", 0, "get", "deploy_key")
	require.Equal(t, first, out, "to a pipe it is printed as it is")
	out, _ = as("reader", 0, "get", "deploy_key", "--to-env", "--", "sh", "-c", `printf "<%s>" "$DEPLOY_KEY"`)
	require.Equal(t, "<"+first+">", out)
	out, _ = as("reader", 0, "get", "deploy_key", "--to-env", "--variable", "OTHER", "--", "sh", "-c", `printf "<%s%s>" "$DEPLOY_KEY" "$OTHER"`)
	require.Equal(t, "<"+first+">", out)
	as("reader", 7, "get", "deploy_key", "--to-env", "--", "sh", "-c", "exit 7")
	out, _ = as("ops", 0)
	require.Regexp(t, `deploy_key +fresh +file`, out)

	keep(second)
	out, _ = as("ops", 0, "refresh", "deploy_key")
	require.Contains(t, out, "deploy_key is new")
	out, _ = as("reader", 0, "get", "deploy_key")
	require.Equal(t, second, out)
	u := connect(t, stack.url)
	eventually(t, "the word of the new one", func() bool { return len(ofType(u.events(t), events.TypeSecretRotated)) == 1 })
	told := ofType(u.events(t), events.TypeSecretRotated)[0]
	require.JSONEq(t, `{"name":"deploy_key","store":"file"}`, string(told.Data), "versions of a file mean nothing to another machine")

	for name, c := range map[string]struct {
		caller string
		args   []string
		status int
		says   string
	}{
		"another's":     {"reader", []string{"get", "lost_key"}, 1, "permission_denied"},
		"not there":     {"ops", []string{"get", "lost_key"}, 1, "not_found"},
		"no right":      {"reader", []string{"refresh", "deploy_key"}, 1, "permission_denied"},
		"no name":       {"ops", []string{"get", "../deploy"}, 1, "invalid_argument"},
		"no command":    {"ops", []string{"get", "deploy_key", "--to-env"}, 2, "--to-env needs a command"},
		"no such thing": {"ops", []string{"get", "deploy_key", "--to-env", "--", "no-such-command"}, 1, "no-such-command"},
	} {
		_, errs := as(c.caller, c.status, c.args...)
		require.Contains(t, errs, c.says, name)
		require.NotContains(t, errs, "canary", name)
	}
	_, errs := stack.mlsdmctl(t, 2, "secrets", "get", "deploy_key")
	require.Contains(t, errs, "--caller")

	eventually(t, "the records of all that", func() bool {
		all, _ := stack.mlsdmctl(t, 0, "secrets", "audit")
		return strings.Count(all, "permission_denied") == 2 && strings.Count(all, "given") >= 5 && strings.Count(all, "not_found") == 1
	})
	all, _ := stack.mlsdmctl(t, 0, "--json", "secrets", "audit", "--asker", "reader", "--outcome", "permission_denied")
	for _, record := range decode[[]events.SecretAccess](t, all) {
		require.Equal(t, "reader", record.Caller)
		require.Len(t, record.NameHash, 64)
	}
	require.NotContains(t, all, "deploy_key")
	require.NotContains(t, all, "lost_key")
	stack.Interrupt()
	require.Zero(t, stack.Exit(), "%s", stack.Errs)
	require.NotContains(t, stack.Out.String()+stack.Errs.String(), "canary")
}
