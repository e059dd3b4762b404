package ciwatch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestExposesToken(t *testing.T) {
	t.Parallel()
	token := secret.NewValue("ghp_canary31337")
	for url, want := range map[string]bool{
		"https://api.github.com":     false,
		"http://127.0.0.1:8080":      false,
		"http://[::1]:8080":          false,
		"http://localhost:8080":      false,
		"http://github.internal":     true,
		"http://10.1.2.3/api/v3":     true,
		"http://localhost.evil.test": true,
	} {
		require.Equal(t, want, Config{APIURL: url, Token: token}.exposesToken(), url)
		require.False(t, Config{APIURL: url}.exposesToken(), url)
	}
}
