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
		"vault:a?list=true", "vault:a%2f..", "vault:a b", "vault:a\nb", "vault:a#", "vault:a@", "vault:a#b#c", "vault:a@1@2", "vault:a#../b", "vault:a#..", "vault:a@..", "vault:a@.", "azure:a@../b", "azure:a@..", "vault:ключ",
		"aws:", "aws:a/../b", "aws:a\x00", "azure:a/b", "azure:a_b", "azure:a.b", "azure:..", "azure:a?api-version=1",
		"env:", "env:A B", "env:A=B", "env:A-B", "env:A\x00", "file:", "file:/", "file:relative", "file:/a/../b", "file:/a\x00b", "file:~/x", "file:/a\x85b", "file:/a\xff", "file:/a\u0085b", "file:/a\u009fb",
		"vault:" + strings.Repeat("a", 600),
	} {
		_, err := secret.ParseRef(text)
		require.ErrorIs(t, err, secret.ErrRef, "%q", text)
	}
}

// What a store is given is checked again, whoever made it.
func TestRefCheck(t *testing.T) {
	t.Parallel()
	for store, ref := range map[string]secret.Ref{
		"vault":  {Store: "vault", Path: "a/b", Field: "f", Version: "1"},
		"aws":    {Store: "aws", Path: "/a/b", Field: "f", Version: "AWSPREVIOUS"},
		"azure":  {Store: "azure", Path: "a-b", Version: "0123abc"},
		"env":    {Store: "env", Path: "A_B"},
		"file":   {Store: "file", Path: "/a b/c?d#e"},
		"vault ": {},
		"":       {},
		"azure ": {Store: "azure ", Path: "a"},
	} {
		err := ref.Check(store)
		if strings.TrimSpace(store) != store || store == "" {
			require.ErrorIs(t, err, secret.ErrRef, "%q", store)
			continue
		}
		require.NoError(t, err, store)
		require.ErrorIs(t, ref.Check("other"), secret.ErrRef)
		parsed, err := secret.ParseRef(ref.String())
		require.NoError(t, err)
		require.Equal(t, ref, parsed)
	}
	for _, ref := range []secret.Ref{
		{Store: "env", Path: "A", Field: "f"},
		{Store: "env", Path: "A", Version: "1"},
		{Store: "file", Path: "/a", Version: "1"},
		{Store: "azure", Path: "a", Version: ".."},
		{Store: "azure", Path: "a", Version: "1/.."},
		{Store: "aws", Path: "a", Field: "..."},
		{Store: "vault", Path: "a", Version: "1#x"},
		{Store: "vault", Path: "a", Field: "b@1"},
		{Store: "vault", Path: "a#b"},
		{Store: "vault", Path: strings.Repeat("a", secret.MaxRef)},
	} {
		require.ErrorIs(t, ref.Check(ref.Store), secret.ErrRef, "%q", ref.String())
	}
}

func FuzzParseRef(f *testing.F) {
	for _, seed := range []string{"vault:mlsdm/openai#api_key@3", "aws:/a/b@AWSPREVIOUS", "azure:a@..", "env:A", "file:/run/secrets/a b", "file:/a/../b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := secret.ParseRef(text)
		if err != nil {
			require.ErrorIs(t, err, secret.ErrRef)
			require.Equal(t, secret.Ref{}, ref)
			return
		}
		require.Equal(t, text, ref.String())
		require.NoError(t, ref.Check(ref.Store))
		require.True(t, secret.IsRef(text))
		for part := range strings.SplitSeq(strings.TrimPrefix(ref.Path, "/"), "/") {
			require.NotContains(t, []string{"", ".", ".."}, part)
		}
		require.False(t, strings.ContainsAny(ref.Field+ref.Version, "/?#%@ \r\n\x00"))
	})
}
