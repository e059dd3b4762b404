package containers_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// serviceKeys are the keys of a service that our files use. All of them are older than Compose v2.20, and known to podman-compose too. What
// came later is not among them: develop (v2.22), post_start and pre_stop (v2.30), provider and models (v2.36).
func serviceKeys() []string {
	return []string{
		"build", "cap_drop", "command", "cpus", "depends_on", "deploy", "entrypoint", "env_file", "environment", "healthcheck", "hostname", "image",
		"logging", "mem_limit", "networks", "pids_limit", "ports", "profiles", "read_only", "restart", "secrets", "security_opt", "stop_grace_period",
		"stop_signal", "tmpfs", "ulimits", "user", "volumes",
	}
}

// TestComposeFilesNeedNoNewCompose: no key, no tag and no long form that Compose v2.20 does not know.
func TestComposeFilesNeedNoNewCompose(t *testing.T) {
	t.Parallel()
	files := []string{"docker-compose.yml", "deploy/tls.compose.yml", "deploy/vault.compose.yml", "deploy/cluster/docker-compose.yml"}
	all, err := filepath.Glob(filepath.Join(root, "deploy", "*.compose.yml"))
	require.NoError(t, err)
	require.Len(t, all, 2, "one more file is to be looked at here")
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(root, file))
			require.NoError(t, err)
			require.NotRegexp(t, `!(reset|override)\b`, string(text), "tags of v2.24")
			var top struct {
				Services map[string]map[string]any
				Configs  map[string]any
				Rest     map[string]any `yaml:",inline"`
			}
			require.NoError(t, yaml.Unmarshal(text, &top))
			require.NotEmpty(t, top.Services)
			require.Empty(t, top.Configs, "those with content came with v2.23")
			for key := range top.Rest {
				require.Regexp(t, `^(name|networks|volumes|secrets|x-[a-z-]+)$`, key)
			}
			for name, service := range top.Services {
				for key, value := range service {
					require.Contains(t, serviceKeys(), key, name)
					switch key {
					case "env_file": // its long form came with v2.24
						for _, entry := range asList(value) {
							require.IsType(t, "", entry, name)
						}
					case "healthcheck":
						require.NotContains(t, value, "start_interval", name)
					case "build":
						require.NotContains(t, value, "dockerfile_inline", name)
						require.NotContains(t, value, "additional_contexts", "%s: BuildKit's", name)
						require.NotContains(t, value, "secrets", "%s: BuildKit's", name)
					}
				}
			}
		})
	}
}

// asList is a value that may be a list or one of its entries.
func asList(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}
