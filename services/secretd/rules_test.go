package secretd_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// tryNew makes a secretd that does not run.
func tryNew(t *testing.T, cfg secretd.Config) error {
	t.Helper()
	_, err := secretd.NewWithLookup(cfg, service.Deps{
		Bus: bustest.Start(t, bustest.Bare()).Connect(t, "secretd"), Logger: slog.New(slog.DiscardHandler), Health: health.NewChecks(),
	}, lookup(nil))
	return err
}

func TestSettings(t *testing.T) {
	t.Parallel()
	cfg, err := load(nil)
	require.NoError(t, err)
	require.Empty(t, cfg.Allow)
	require.Equal(t, []string{"ciwatch", "embedder", "generator", "dispatcher"}, cfg.Callers)
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n"), 0o600))
	for name, test := range map[string]struct {
		environment map[string]string
		complaint   string
	}{
		"a name that climbs":     {map[string]string{"SECRETD_ALLOW": "good,../bad"}, "secretd-allow"},
		"who has no name":        {map[string]string{"SECRETD_CALLERS": "generator,default"}, "secretd-callers"},
		"no token of a name":     {map[string]string{"SECRETD_CALLERS": "a.b"}, "a.b"},
		"an unknown store":       {map[string]string{"SECRETD_STORES": "env,paper"}, `"paper"`},
		"a store twice":          {map[string]string{"SECRETD_STORES": "env,env"}, "twice"},
		"vault without URL":      {map[string]string{"SECRETD_STORES": "vault"}, "vault-addr"},
		"aws without region":     {map[string]string{"SECRETD_STORES": "aws"}, "aws-region"},
		"azure without URL":      {map[string]string{"SECRETD_STORES": "azure"}, "azure-vault-url"},
		"azure without TLS":      {map[string]string{"SECRETD_ALLOW": "key", "AZURE_VAULT_URL": "http://x.vault.azure.net"}, "azure-vault-url"},
		"vault without token":    {map[string]string{"SECRETD_ALLOW": "key", "VAULT_ADDR": "https://vault:8200"}, "token"},
		"vault without a login":  {map[string]string{"SECRETD_ALLOW": "key", "VAULT_ADDR": "https://vault:8200", "SECRETD_VAULT_AUTH": "magic"}, "magic"},
		"a file and names":       {map[string]string{"SECRETD_CONFIG": file, "SECRETD_ALLOW": "key"}, "secretd-config stands beside"},
		"a file and callers":     {map[string]string{"SECRETD_CONFIG": file, "SECRETD_CALLERS": "embedder"}, "secretd-config stands beside"},
		"a file and stores":      {map[string]string{"SECRETD_CONFIG": file, "SECRETD_STORES": "env"}, "secretd-config stands beside"},
		"no time":                {map[string]string{"SECRETD_TTL": "1ms"}, "secretd-ttl"},
		"too long":               {map[string]string{"SECRETD_MAX_STALE": "9999h"}, "secretd-max-stale"},
		"two signing keys":       {map[string]string{"SECRETD_SIGNING_KEY": "x", "SECRETD_SIGNING_KEY_FILE": file}, "both set"},
		"two audit keys":         {map[string]string{"SECRETD_AUDIT_KEY": "x", "SECRETD_AUDIT_KEY_FILE": file}, "both set"},
		"approle without any id": {map[string]string{"SECRETD_ALLOW": "key", "VAULT_ADDR": "https://vault:8200", "SECRETD_VAULT_AUTH": "approle"}, "role id"},
	} {
		_, err = load(test.environment)
		require.ErrorContains(t, err, test.complaint, name)
	}
	for _, environment := range []map[string]string{
		{"SECRETD_STORES": "env", "VAULT_ADDR": "https://vault:8200", "AZURE_VAULT_URL": "http://x.vault.azure.net"}, // is not asked
		{"VAULT_ADDR": "https://vault:8200"}, // where nothing may be given out, nobody is asked
		{"SECRETD_MAX_STALE": "0s", "SECRETD_TTL": "1s"},
	} {
		_, err = load(environment)
		require.NoError(t, err)
	}
	cfg, err = load(map[string]string{"SECRETD_AUDIT_KEY_FILE": file})
	require.NoError(t, err)
	require.NoError(t, tryNew(t, cfg))
}

// TestFilesThatCannotBeUsed keep a secretd from starting, with the place of the mistake.
func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, complaint := range map[string]string{
		"secrets:\n  a: [gcp:x]": "secrets.yaml:2:", "secrets: {a: ['vault:x']}": "vault-addr is not set",
		"policy: {a: ['aws:*']}": "aws-region is not set", "secrets: {a: ['azure:x']}": "azure-vault-url is not set",
	} {
		file := filepath.Join(dir, "secrets.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		cfg, err := load(map[string]string{"SECRETD_CONFIG": file})
		require.NoError(t, err)
		require.ErrorContains(t, tryNew(t, cfg), complaint)
	}
	for _, path := range []string{filepath.Join(dir, "none"), dir, "/dev/zero"} {
		cfg, err := load(map[string]string{"SECRETD_CONFIG": path})
		require.NoError(t, err)
		require.ErrorContains(t, tryNew(t, cfg), "secretd-config")
	}
}

// TestNewRulesAreTaken while secretd runs, and bad ones are not.
func TestNewRulesAreTaken(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRules(t, keyRules, nil, vault)
	_, err := r.get(t, "generator", "key")
	require.NoError(t, err)

	replace := func(text string) {
		t.Helper()
		next := r.file + ".next"
		require.NoError(t, os.WriteFile(next, []byte(text), 0o600))
		require.NoError(t, os.Rename(next, r.file))
	}
	status := func() health.Status { return r.checks.Run(t.Context()).Checks["rules"].Status }
	replace("secrets:\n  key: [gcp:x]\n")
	require.Eventually(t, func() bool { return status() == health.StatusDegraded }, patience, 10*time.Millisecond)
	require.Contains(t, r.log.String(), "secrets.yaml:2:", "it says why")
	_, err = r.get(t, "generator", "key")
	require.NoError(t, err, "the rules before are in force")

	replace("secrets: {key: ['vault:key']}\npolicy: {embedder: [key]}")
	require.Eventually(t, func() bool { _, err := r.get(t, "embedder", "key"); return err == nil }, patience, 10*time.Millisecond)
	require.Equal(t, health.StatusOK, status())
	_, err = r.get(t, "generator", "key")
	requireCode(t, events.CodePermissionDenied, err)

	require.NoError(t, os.Remove(r.file))
	require.Eventually(t, func() bool { return status() == health.StatusDegraded }, patience, 10*time.Millisecond)
	_, err = r.get(t, "embedder", "key")
	require.NoError(t, err)
}

// TestList: what the caller may have, and how it does; and no store is asked.
func TestList(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("a", "7", canary)
	var rules strings.Builder
	rules.WriteString("policy: {generator: ['*'], embedder: [key_0001, key_0003], auditor: {list: ['*']}, none: []}\nsecrets:\n  a: ['vault:a', 'env:A']\n  b: ['vault:b', 'env:B']\n  c: ['vault:c']\n")
	for i := range 1500 {
		fmt.Fprintf(&rules, "  key_%04d: ['vault:key_%04d']\n", i, i)
	}
	r := withRules(t, rules.String(), map[string]string{"B": "from env"}, vault)
	c := r.as(t, "generator")
	page, err := c.ListSecrets(within(t), 0, "")
	require.NoError(t, err)
	require.Len(t, page.Secrets, 1000)
	require.Equal(t, events.SecretInfo{Name: "a", State: events.SecretUnknown}, page.Secrets[0])
	rest, err := c.ListSecrets(within(t), 0, page.Next)
	require.NoError(t, err)
	require.Len(t, rest.Secrets, 503)
	require.Empty(t, rest.Next)
	require.Zero(t, vault.asked())

	for _, name := range []string{"a", "b", "c"} {
		_, _ = c.Secret(within(t), name) // c is nowhere
	}
	page, err = c.ListSecrets(within(t), 3, "")
	require.NoError(t, err)
	require.Equal(t, "c", page.Next)
	for i, want := range []events.SecretInfo{
		{Name: "a", State: events.SecretFresh, Source: "vault", Version: "7"},
		{Name: "b", State: events.SecretFresh, Source: "env"},
		{Name: "c", State: events.SecretMissing},
	} {
		got := page.Secrets[i]
		if want.State == events.SecretFresh {
			require.WithinDuration(t, time.Now(), got.FetchedAt, patience)
			require.True(t, got.ExpiresAt.After(got.FetchedAt))
			got.FetchedAt, got.ExpiresAt = time.Time{}, time.Time{}
		}
		require.Equal(t, want, got)
	}
	vault.fail(secret.ErrUnavailable)
	_, err = c.Secret(within(t), "key_0000")
	requireCode(t, events.CodeUnavailable, err)
	page, err = c.ListSecrets(within(t), 1, "c")
	require.NoError(t, err)
	require.Equal(t, events.SecretFailing, page.Secrets[0].State)

	few, err := r.as(t, "embedder").ListSecrets(within(t), 0, "")
	require.NoError(t, err)
	require.Len(t, few.Secrets, 2)
	all, err := r.as(t, "auditor").ListSecrets(within(t), 1, "")
	require.NoError(t, err)
	require.Len(t, all.Secrets, 1)
	_, err = r.get(t, "auditor", "a")
	requireCode(t, events.CodePermissionDenied, err)
	for _, nobody := range []string{"none", "stranger", "default"} {
		list, err := r.as(t, nobody).ListSecrets(within(t), 0, "")
		require.NoError(t, err)
		require.Empty(t, list.Secrets)
		require.NotNil(t, list.Secrets)
	}
}

// TestRefresh needs a right of its own, and is limited in rate.
func TestRefresh(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRules(t, "secrets: {key: ['vault:key'], absent: ['vault:absent']}\npolicy: {generator: ['*'], admin: {refresh: ['*', 'vault:*']}}", nil, vault)
	_, err := r.as(t, "generator").RefreshSecret(within(t), "key")
	requireCode(t, events.CodePermissionDenied, err)
	admin := r.as(t, "admin")
	_, err = admin.Secret(within(t), "key")
	requireCode(t, events.CodePermissionDenied, err)
	_, err = admin.RefreshSecret(within(t), "absent")
	requireCode(t, events.CodeNotFound, err)
	_, err = admin.RefreshSecret(within(t), "nobody_configured_it")
	requireCode(t, events.CodeNotFound, err)
	_, err = admin.RefreshSecret(within(t), "env:PATH")
	requireCode(t, events.CodePermissionDenied, err)
	done, err := admin.RefreshSecret(within(t), "vault:key")
	require.NoError(t, err)
	require.Equal(t, "vault:key", done.Secret.Name)
	require.Equal(t, "1", done.Secret.Version)
	require.Equal(t, events.SecretFresh, done.Secret.State)
	require.False(t, done.Rotated)
	vault.fail(secret.ErrUnavailable)
	require.Eventually(t, func() bool {
		_, err = admin.RefreshSecret(within(t), "key")
		return err != nil
	}, patience, time.Millisecond)
	requireCode(t, events.CodeUnavailable, err)
	require.Eventually(t, func() bool {
		_, err = admin.RefreshSecret(within(t), "key")
		return events.CodeOf(err) == events.CodeRateLimited
	}, patience, time.Millisecond)
	require.Positive(t, events.AsError(err).RetryAfter)
	// Another caller's place is its own.
	_, err = r.as(t, "generator").RefreshSecret(within(t), "key")
	requireCode(t, events.CodePermissionDenied, err)
}

// TestTheExampleOfTheDocument is understood, and means what stands beside it.
func TestTheExampleOfTheDocument(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/secrets.md")
	require.NoError(t, err)
	_, example, ok := strings.Cut(string(document), "```yaml\n")
	require.True(t, ok)
	example, _, ok = strings.Cut(example, "```")
	require.True(t, ok)
	for caller, names := range map[string][]string{
		"embedder": {"openai_api_key", "cohere_api_key"}, "generator": {"openai_api_key"}, "reports": {"vault:mlsdm/reports/daily#key"},
		"anybody": {},
	} {
		for _, name := range append(names, "db_password") {
			ruling, err := secretd.Explain("secrets.yaml", []byte(example), caller, name)
			require.NoError(t, err)
			require.Equal(t, name != "db_password", ruling.Get, "%s %s", caller, name)
		}
	}
	ruling, err := secretd.Explain("secrets.yaml", []byte(example), "rotator", "db_password")
	require.NoError(t, err)
	require.True(t, ruling.Refresh)
	require.False(t, ruling.Get)
}
