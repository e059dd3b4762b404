package containers_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/services"
)

// keeper is the one service that holds secrets for others.
const keeper = "secretd"

// job is the one container that is meant to end.
const job = "provision"

// compose is what the tests read of docker-compose.yml.
type compose struct {
	Services map[string]container
}

type container struct {
	Image       string
	Build       any
	Ports       []string
	Environment map[string]string
	EnvFile     any      `yaml:"env_file"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	Privileged  bool
	NetworkMode string `yaml:"network_mode"`
	Volumes     []string
	Healthcheck struct{ Test []string }
}

func TestContainersAreLockedDown(t *testing.T) {
	t.Parallel()
	for name, c := range readCompose(t).Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.True(t, c.ReadOnly, "the root file system is read-only")
			require.Equal(t, []string{"ALL"}, c.CapDrop)
			require.Empty(t, c.CapAdd)
			require.Contains(t, c.SecurityOpt, "no-new-privileges:true")
			require.False(t, c.Privileged)
			require.Empty(t, c.NetworkMode)
			for _, port := range c.Ports {
				require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s is published on loopback only", port)
			}
			for _, volume := range c.Volumes {
				require.NotContains(t, volume, "docker.sock")
			}
			if name != job {
				require.NotEmpty(t, c.Healthcheck.Test, "health can be asked for")
			}
			if c.Build == nil {
				require.Regexp(t, `^[a-z/]+:[0-9]+[a-z0-9.-]*$`, c.Image, "others' images are pinned to a version")
			}
		})
	}
}

// A service that is broken into must not hold the others' secrets.
func TestSecretsGoToTheirServiceOnly(t *testing.T) {
	t.Parallel()
	owners := map[string][]string{
		"GITHUB_TOKEN":        {"ciwatch"},
		"OPENAI_API_KEY":      {"embedder", "generator"},
		"COHERE_API_KEY":      {"embedder", "generator"},
		"HUGGINGFACE_API_KEY": {"embedder", "generator"},
		"ANTHROPIC_API_KEY":   {"generator"},
		"WEBHOOK_SECRET":      {"dispatcher"},
		"VAULT_TOKEN":         {keeper},
		"AZURE_CLIENT_SECRET": {keeper},

		"AWS_SECRET_ACCESS_KEY": {keeper},
	}
	for name, c := range readCompose(t).Services {
		require.Nil(t, c.EnvFile, "%s: an env_file would hand every secret to every service", name)
		for variable, of := range owners {
			_, has := c.Environment[variable]
			require.False(t, has && name != keeper && !slices.Contains(of, name), "%s is given %s", name, variable)
		}
	}
}

// The five services and what they need, and nothing that somebody forgot.
func TestEveryServiceIsInTheStack(t *testing.T) {
	t.Parallel()
	want := []string{"nats", job, "redis"}
	for _, unit := range services.Units() {
		want = append(want, unit.Name)
	}
	slices.Sort(want)
	require.Equal(t, want, slices.Sorted(maps.Keys(readCompose(t).Services)))
}

func TestImageNeedsNoBuildKitAndNoRoot(t *testing.T) {
	t.Parallel()
	file := read(t, "Dockerfile")
	require.NotContains(t, file, "--mount")
	require.NotContains(t, file, "# syntax=")
	require.NotContains(t, file, "<<")
	users := regexp.MustCompile(`(?m)^USER (.*)$`).FindAllStringSubmatch(file, -1)
	require.Len(t, users, 1)
	require.Regexp(t, `^[1-9][0-9]*:[1-9][0-9]*$`, users[0][1], "a number, so that runAsNonRoot can be checked")
}

// root is the root of the repository, seen from this package.
const root = "../.."

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &c))
	require.NotEmpty(t, c.Services)
	return c
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(content)
}
