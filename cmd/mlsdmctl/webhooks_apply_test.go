package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const declaration = `endpoints:
  - id: audit
    url: https://example.com/audit
    events: [ci.*]
    timeout: 30s
  - id: billing
    url: https://example.com/billing
    signing: [{method: v1a, key: secret:billing}]
`

// declare writes a file.
func declare(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "webhooks.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestApply(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	f.mlsdmctl(t, 0, "", "webhooks", "create", "audit", "https://example.com/audit", "--event", "ci.*", "--attempt-timeout", "15s", "--description", "x\x1b[2J")
	f.mlsdmctl(t, 0, "", "webhooks", "create", "old", "https://example.com/old")
	f.endpoints["env"] = events.Endpoint{EndpointSpec: events.EndpointSpec{ID: "env", URL: "https://example.com"}, Source: "environment"}
	file := declare(t, declaration)
	made := f.changes

	out, _ := f.mlsdmctl(t, 0, "", "webhooks", "apply", "-f", file, "--dry-run", "--prune")
	require.Contains(t, out, "~ audit\n")
	require.Regexp(t, `    timeout +15s → 30s\n`, out)
	require.Regexp(t, `    description +x\[2J → \(none\)\n`, out)
	require.Regexp(t, `\+ billing\n    signing +\[\{"method":"v1a","key":"secret:billing"\}\]\n`, out)
	require.Contains(t, out, "- old\n")
	require.NotContains(t, out, "env")
	require.Contains(t, out, "to do: 1 to create, 1 to change, 1 to remove, 0 as declared\n")
	require.Equal(t, made, f.changes, "a dry run changes nothing")

	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "apply", "-f", file)
	require.Contains(t, out, "audit changed\n")
	require.Contains(t, out, "billing created\n")
	require.Equal(t, made+2, f.changes)
	require.Equal(t, "30s", f.spec(t, "audit").Timeout)
	require.Empty(t, f.spec(t, "audit").Description)
	f.spec(t, "old")

	out, errs := f.mlsdmctl(t, 0, "", "webhooks", "apply", "-f", file)
	require.Equal(t, "= audit\n= billing\nnothing to do: 0 to create, 0 to change, 0 to remove, 2 as declared\n", out)
	require.Empty(t, errs)
	require.Equal(t, made+2, f.changes)

	_, errs = f.mlsdmctl(t, 1, "no\n", "webhooks", "apply", "-f", file, "--prune")
	require.Contains(t, errs, "Remove old, with their keys?")
	f.spec(t, "old")
	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "apply", "-f", file, "--prune", "--yes")
	require.Contains(t, out, "old removed\n")
	require.NotContains(t, f.endpoints, "old")
	require.Contains(t, f.endpoints, "env", "what the bus did not make it does not remove")
}

func TestApplyGoesOnBehindAFailure(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	f.mlsdmctl(t, 0, "", "webhooks", "create", "old", "https://example.com/old")
	f.refuse["audit"] = "the filter is no CEL"
	file := declare(t, declaration)
	out, errs := f.mlsdmctl(t, 1, "", "webhooks", "apply", "-f", file, "--dry-run")
	require.Contains(t, out, "to do: 1 to create, 0 to change, 0 to remove, 0 as declared, 1 wrong\n")
	require.Contains(t, errs, "1 of 2 endpoints failed")
	out, errs = f.mlsdmctl(t, 1, "", "webhooks", "apply", "-f", file, "--prune", "--yes")
	require.Contains(t, out, "  ! invalid_argument: the filter is no CEL\n")
	require.Contains(t, out, "audit failed: invalid_argument: the filter is no CEL\n")
	require.Contains(t, out, "billing created\n")
	require.Contains(t, out, "old failed: it is not removed because others failed\n")
	require.Contains(t, errs, "2 of 3 endpoints failed")
	f.spec(t, "billing")
	f.spec(t, "old")

	out, _ = f.mlsdmctl(t, 1, "", "webhooks", "apply", "-f", file, "--json")
	var p struct {
		Endpoints []step `json:"endpoints"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &p))
	require.Len(t, p.Endpoints, 2)
	require.Equal(t, "invalid_argument: the filter is no CEL", p.Endpoints[0].Error)
	require.Equal(t, actionKeep, p.Endpoints[1].Action)
}

func TestApplyTellsGeneratedSecrets(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	text := "endpoints: [{id: a, url: 'https://a'}, {id: b, url: 'https://b'}]"
	out, errs := f.mlsdmctl(t, 0, text, "webhooks", "apply", "-f", "-")
	require.Contains(t, out, "a created\nsecret a ka "+canary+"\nb created\nsecret b kb "+canary+"\n")
	require.Contains(t, errs, "shown this once")

	file := filepath.Join(t.TempDir(), "keys")
	f = startKeeper(t)
	out, _ = f.mlsdmctl(t, 0, text, "webhooks", "apply", "-f", "-", "--secret-file", file, "--json")
	require.NotContains(t, out, canary)
	keys, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "a ka "+canary+"\nb kb "+canary+"\n", string(keys))
}

func TestApplyRefusesAFileWithMistakes(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	_, errs := f.mlsdmctl(t, 1, "endpoints:\n  - id: a\n    ur: x\n", "webhooks", "apply", "-f", "-")
	require.Contains(t, errs, `the standard input:3: there is no field "endpoints[0].ur"`)
	_, errs = f.mlsdmctl(t, 1, "", "webhooks", "apply", "-f", "/does/not/exist")
	require.Contains(t, errs, "/does/not/exist")
	f.mlsdmctl(t, 2, "", "webhooks", "apply")
	f.mlsdmctl(t, 1, declaration, "webhooks", "apply", "-f", "-", "--overlap", "9999h")
	require.Zero(t, f.changes)
}

func TestExportIsAppliedAgain(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	out, _ := f.mlsdmctl(t, 0, "", "webhooks", "export")
	require.Contains(t, out, "\nendpoints: []\n")
	f.mlsdmctl(t, 0, declaration, "webhooks", "apply", "-f", "-")
	f.mlsdmctl(t, 0, "", "webhooks", "create", "c", "https://example.com/c", "--header", "X-A=1", "--filter", "type == 'a'")
	f.endpoints["env"] = events.Endpoint{EndpointSpec: events.EndpointSpec{ID: "env", URL: "https://example.com"}, Source: "environment"}
	made := f.changes
	text, _ := f.mlsdmctl(t, 0, "", "webhooks", "export")
	require.NotContains(t, text, "env")
	out, _ = f.mlsdmctl(t, 0, text, "webhooks", "apply", "-f", "-", "--prune", "--yes")
	require.Contains(t, out, "nothing to do")
	require.Equal(t, made, f.changes)
	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "export", "--json")
	var list struct {
		Endpoints []events.EndpointSpec `json:"endpoints"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list.Endpoints, 3)
}
