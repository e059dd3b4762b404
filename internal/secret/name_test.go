package secret_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "openai_api_key", "A.b-c_9", "a.", "-", strings.Repeat("x", secret.MaxName)} {
		name, err := secret.ParseName(good)
		require.NoError(t, err, good)
		require.Equal(t, good, name.String())
	}
	for _, bad := range []string{
		"", ".", "..", ".hidden", "a..b", "a/b", "../etc/passwd", `a\b`, "a b", "a\n", "a\x00b", "a=b", "$A", "a:b", "%2e%2e", "ключ",
		"\xff", "a*", "a>", strings.Repeat("x", secret.MaxName+1),
	} {
		_, err := secret.ParseName(bad)
		require.ErrorIs(t, err, secret.ErrName, "%q", bad)
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"openai_api_key", "../x", "a..b", "%2e%2e/", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := secret.ParseName(text)
		if err != nil {
			require.Empty(t, name.String())
			return
		}
		require.Equal(t, text, name.String())
		require.NotEmpty(t, text)
		require.LessOrEqual(t, len(text), secret.MaxName)
		require.NotContains(t, text, "..")
		require.False(t, strings.ContainsAny(text, "/\\ \t\r\n\x00=$%*>:~'\"`"))
	})
}
