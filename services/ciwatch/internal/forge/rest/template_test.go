package rest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	templates := []string{"/repos/{owner}/{repo}", "/repos/{owner}/{repo}/actions/runs"}
	for path, want := range map[string]string{
		"/repos/acme/one": templates[0], "/repos/acme/one/actions/runs": templates[1],
		"/repos/acme": "", "/repos/acme/one/": "", "/repos/acme/one/secrets/canary": "", "/canary/acme/one": "", "": "", "/": "",
	} {
		require.Equal(t, want, rest.Template(path, templates), path)
	}
}
