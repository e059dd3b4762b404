package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

func TestSecretsPolicyCheck(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
secrets:
  openai_api_key: [vault:mlsdm/openai#api_key, env:OPENAI_API_KEY]
policy:
  embedder: [openai_api_key, cohere_*, "vault:team/*"]
  operator: {refresh: ["*"]}
`), 0o600))
	for name, c := range map[string]struct {
		args []string
		code int
		out  string
		err  string
	}{
		"allowed":        {[]string{"embedder", "openai_api_key"}, 0, "embedder may get, list openai_api_key\nembedder may not refresh openai_api_key\nit is looked for in vault:mlsdm/openai#api_key, then env:OPENAI_API_KEY\n", ""},
		"denied":         {[]string{"generator", "openai_api_key"}, 1, "generator may not get, list, refresh openai_api_key\nit is looked for in vault:mlsdm/openai#api_key, then env:OPENAI_API_KEY\n", "the file denies it"},
		"refresh only":   {[]string{"operator", "openai_api_key"}, 1, "operator may refresh openai_api_key\noperator may not get, list openai_api_key\nit is looked for in vault:mlsdm/openai#api_key, then env:OPENAI_API_KEY\n", "the file denies it"},
		"not configured": {[]string{"embedder", "cohere_key"}, 0, "embedder may get, list cohere_key\nembedder may not refresh cohere_key\nthe file names no secret cohere_key: who may get it gets not_found\n", ""},
		"a reference":    {[]string{"embedder", "vault:team/db#password"}, 0, "embedder may get, list vault:team/db#password\nembedder may not refresh vault:team/db#password\nit is looked for in vault:team/db#password\n", ""},
		"another's":      {[]string{"embedder", "vault:other/db"}, 1, "embedder may not get, list, refresh vault:other/db\nit is looked for in vault:other/db\n", "the file denies it"},
		"nobody":         {[]string{"default", "openai_api_key"}, 1, "default may not get, list, refresh openai_api_key\nit is looked for in vault:mlsdm/openai#api_key, then env:OPENAI_API_KEY\n", "the file denies it"},
		"no name":        {[]string{"embedder", "vault:../sys"}, 1, "", "which leads elsewhere"},
		"no caller":      {[]string{"a.b", "openai_api_key"}, 1, "", "the caller has '.'"},
	} {
		code, out, errs := ctl(t.Context(), nil, "", append([]string{"secrets", "policy", "check", "--config", file}, c.args...)...)
		require.Equal(t, c.code, code, "%s: %s", name, errs)
		require.Equal(t, c.out, out, name)
		require.Contains(t, errs, c.err, name)
	}

	_, out, _ := ctl(t.Context(), nil, "", "secrets", "policy", "check", "--json", "--config", file, "embedder", "openai_api_key")
	var ruling secretd.Ruling
	require.NoError(t, json.Unmarshal([]byte(out), &ruling))
	require.Equal(t, secretd.Ruling{
		Caller: "embedder", Name: "openai_api_key", Get: true, List: true, Configured: true, From: []string{"vault:mlsdm/openai#api_key", "env:OPENAI_API_KEY"},
	}, ruling)

	require.NoError(t, os.WriteFile(file, []byte("secrets:\n  x: [vault:a]\npolicies: {}\n"), 0o600))
	code, _, errs := ctl(t.Context(), nil, "", "secrets", "policy", "check", "--config", file, "a", "x")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "secrets.yaml:3")
}
