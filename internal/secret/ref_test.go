package secret_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]secret.Ref{
		"vault:mlsdm/openai#api_key@3":   {Store: "vault", Path: "mlsdm/openai", Field: "api_key", Version: "3"},
		"vault:/database/creds/app#pass": {Store: "vault", Path: "/database/creds/app", Field: "pass"},
		"aws:mlsdm/openai#api_key":       {Store: "aws", Path: "mlsdm/openai", Field: "api_key"},
		"aws:mlsdm/openai@AWSPREVIOUS":   {Store: "aws", Path: "mlsdm/openai", Version: "AWSPREVIOUS"},
		"azure:openai-key":               {Store: "azure", Path: "openai-key"},
		"env:OPENAI_API_KEY":             {Store: "env", Path: "OPENAI_API_KEY"},
		"file:/run/secrets/openai":       {Store: "file", Path: "/run/secrets/openai"},
		"file:/a b#c@d":                  {Store: "file", Path: "/a b#c@d"},
	} {
		got, err := secret.ParseRef(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, text, got.String())
		require.True(t, secret.IsRef(text))
	}
	for _, text := range []string{
		"", "x", "openai_api_key", "gcp:x", "VAULT:x", "vault:", "vault:/", "vault://x", "vault:a//b", "vault:../sys", "vault:a/../../sys", "vault:a/./b",
		"vault:a?list=true", "vault:a%2f..", "vault:a b", "vault:a\nb", "vault:a#", "vault:a@", "vault:a#b#c", "vault:a@1@2", "vault:a#../b", "vault:ключ",
		"aws:", "aws:a/../b", "aws:a\x00", "azure:a/b", "azure:a_b", "azure:a.b", "azure:..", "azure:a?api-version=1",
		"env:", "env:A B", "env:A=B", "env:A-B", "env:A\x00", "file:", "file:/", "file:relative", "file:/a/../b", "file:/a\x00b", "file:~/x",
		"vault:" + strings.Repeat("a", 600),
	} {
		_, err := secret.ParseRef(text)
		require.ErrorIs(t, err, secret.ErrRef, "%q", text)
	}
}
