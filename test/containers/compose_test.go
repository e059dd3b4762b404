package containers_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/services"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// keeper is the one service that holds secrets for others.
const keeper = "secretd"

// job is the container that makes what the services need on the bus.
const job = "provision"

// jobs are the containers that are meant to end.
func jobs() []string { return []string{job, "vault-seed"} }

// compose is what the tests read of docker-compose.yml.
type compose struct {
	Services map[string]container
	Secrets  map[string]struct{ File string }
	Volumes  map[string]any
}

// plain are the names of what is there without a profile.
func (c compose) plain() []string {
	var names []string
	for name, container := range c.Services {
		if len(container.Profiles) == 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

type container struct {
	Image       string
	Profiles    []string
	User        string
	Restart     string
	Networks    []string
	Build       any
	Ports       []string
	Environment map[string]string
	EnvFile     any      `yaml:"env_file"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	Ulimits     map[string]int
	PidsLimit   int    `yaml:"pids_limit"`
	MemLimit    string `yaml:"mem_limit"`
	CPUs        string `yaml:"cpus"`
	Privileged  bool
	NetworkMode string `yaml:"network_mode"`
	Volumes     []any
	Secrets     []any
	DependsOn   map[string]any `yaml:"depends_on"`
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
			require.Equal(t, map[string]int{"core": 0}, c.Ulimits, "nothing is dumped")
			require.Positive(t, c.PidsLimit)
			require.NotEmpty(t, c.MemLimit, "no container can take all memory of the machine")
			require.NotEmpty(t, c.CPUs, "nor all its processors")
			require.False(t, c.Privileged)
			require.Empty(t, c.NetworkMode)
			for _, port := range c.Ports {
				require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s is published on loopback only", port)
			}
			for _, volume := range c.Volumes {
				require.NotContains(t, fmt.Sprint(volume), "docker.sock")
			}
			if slices.Contains(jobs(), name) {
				require.Equal(t, "no", c.Restart)
			} else {
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
		"GITHUB_TOKEN":          {"ciwatch"},
		"GITHUB_APP_KEY":        {"ciwatch"},
		"OPENAI_API_KEY":        {"embedder", "generator"},
		"COHERE_API_KEY":        {"embedder", "generator"},
		"HUGGINGFACE_API_KEY":   {"embedder", "generator"},
		"ANTHROPIC_API_KEY":     {"generator"},
		"WEBHOOK_SECRET":        {"dispatcher"},
		"GITHUB_WEBHOOK_SECRET": {"ciwatch"},
		"VAULT_TOKEN":           {keeper},
		"AZURE_CLIENT_SECRET":   {keeper},

		"AWS_SECRET_ACCESS_KEY": {keeper},
	}
	for name, c := range readCompose(t).Services {
		if c.EnvFile != nil { // one that hands every secret to every service
			require.Equal(t, []any{folder + "/secretd.env"}, c.EnvFile, name)
		}
		for variable, of := range owners {
			_, has := c.Environment[variable]
			require.False(t, has && name != keeper && !slices.Contains(of, name), "%s is given %s", name, variable)
		}
	}
}

// folder is where the stack looks for what `mlsdmctl init` makes.
const folder = "${MLSDM_INSTALLATION:-./deploy/installation}"

// Each container is its own user of the bus, and is given no key of another.
func TestEveryContainerHasItsOwnKey(t *testing.T) {
	t.Parallel()
	stack := readCompose(t)
	also := map[string][]string{
		"dispatcher": {"webhook-seal.key"}, "embedder": {"redis.password"}, "generator": {"redis.password"}, "redis": {"redis.password"},
		"secretd": {"audit.key", "secretd-signing.nk"}, "vault": {"vault-root.token"}, "vault-seed": {"vault-root.token"},
	}
	for name, c := range stack.Services {
		var given []string
		for _, s := range c.Secrets {
			if long, ok := s.(map[string]any); ok {
				require.Equal(t, "nats.nk", long["target"], name)
				require.Equal(t, "/run/secrets/nats.nk", c.Environment["NATS_NKEY"], name)
				s = long["source"]
			}
			given = append(given, fmt.Sprint(s))
		}
		want := slices.Clone(also[name])
		switch name {
		case "jaeger", "nats", "redis", "vault", "vault-seed":
		case job:
			want = append(want, "admin.nk")
		default:
			want = append(want, name+".nk")
		}
		require.ElementsMatch(t, want, given, name)
		require.NotContains(t, c.Environment, "NATS_PASSWORD", name)
	}
}

// `mlsdmctl init` makes every file that the containers are given.
func TestInitMakesWhatTheStackNeeds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "installation")
	cmd := exec.CommandContext(t.Context(), "go", "run", "./cmd/mlsdmctl", "init", "--dir", dir)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotRegexp(t, `SU[A-Z2-7]{56}`, string(out), "no seed is printed")
	for name, secret := range readCompose(t).Secrets {
		below, found := strings.CutPrefix(secret.File, folder+"/")
		require.True(t, found, name)
		require.FileExists(t, filepath.Join(dir, below))
	}
	require.FileExists(t, filepath.Join(dir, "secretd.env"))
	require.FileExists(t, filepath.Join(dir, "nats", "users.conf"))
	require.Contains(t, read(t, "deploy/nats/nats.conf"), `include "installation/users.conf"`)
	require.Contains(t, read(t, ".gitignore"), "/deploy/installation/", "keys are not committed")
}

// The five services and what they need, and nothing that somebody forgot.
func TestEveryServiceIsInTheStack(t *testing.T) {
	t.Parallel()
	want := []string{"jaeger", "nats", job, "redis"}
	for _, unit := range services.Units() {
		want = append(want, unit.Name)
	}
	slices.Sort(want)
	require.Equal(t, want, readCompose(t).plain())
}

// Each service has a folder of its own that outlives it, for what the bus has not taken when it ended.
func TestEveryServiceHasASpool(t *testing.T) {
	t.Parallel()
	stack := readCompose(t)
	for _, unit := range services.Units() {
		c := stack.Services[unit.Name]
		require.Equal(t, "/var/lib/mlsdm/spool", c.Environment["MLSDM_SPOOL_DIR"])
		require.Contains(t, c.Volumes, unit.Name+"-spool:/var/lib/mlsdm/spool")
		require.Contains(t, stack.Volumes, unit.Name+"-spool")
	}
	require.Contains(t, read(t, "Dockerfile"), "COPY --from=build --chown=65532:65532 /out/lib /var/lib/mlsdm", "else the volume would be root's")
}

// Traces go to the stack's Jaeger unless somebody says otherwise, and nobody waits for it.
func TestTracesGoToJaeger(t *testing.T) {
	t.Parallel()
	stack := readCompose(t)
	for name, c := range stack.Services {
		require.NotContains(t, c.DependsOn, "jaeger", "%s works without", name)
	}
	for _, unit := range services.Units() {
		require.Equal(t, "${OTEL_EXPORTER_OTLP_ENDPOINT:-http://jaeger:4318}", stack.Services[unit.Name].Environment["OTEL_EXPORTER_OTLP_ENDPOINT"])
	}
}

// A Vault is there where it is asked for, and only secretd reaches it, as somebody who can read what is ours and no more.
func TestVaultIsForSecretdOnly(t *testing.T) {
	t.Parallel()
	stack := readCompose(t)
	var networked []string
	for name, c := range stack.Services {
		if slices.Contains(c.Networks, "vault") {
			networked = append(networked, name)
			require.Equal(t, []string{"vault"}, c.Profiles, name)
			require.Regexp(t, `^[1-9][0-9]*:[1-9][0-9]*$`, c.User, "%s is nobody in particular", name)
			require.Equal(t, []string{"vault"}, c.Networks, "%s reaches nothing else of the stack", name)
		}
	}
	require.ElementsMatch(t, []string{"vault", "vault-seed"}, networked)

	var with compose
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/vault.compose.yml")), &with))
	require.Equal(t, []string{keeper}, slices.Collect(maps.Keys(with.Services)))
	require.Empty(t, with.Services[keeper].Secrets, "it has no root token")
	require.Empty(t, with.Services[keeper].Environment["VAULT_TOKEN"])
	require.Equal(t, "approle", with.Services[keeper].Environment["SECRETD_VAULT_AUTH"])
	for name := range with.Services[keeper].Environment {
		require.Contains(t, stack.Services[keeper].Environment, name, "it is a setting of secretd")
	}
	paths := regexp.MustCompile(`(?m)^path "([^"]*)"`).FindAllStringSubmatch(read(t, "deploy/vault/seed/mlsdm-secretd.hcl"), -1)
	require.NotEmpty(t, paths)
	for _, p := range paths {
		require.Regexp(t, `^(secret/data/mlsdm/\*|auth/token/(lookup|renew|revoke)-self)$`, p[1])
	}
}

// What is in the file of rules beside it can be read by secretd.
func TestRulesOfTheVaultStack(t *testing.T) {
	t.Parallel()
	text := read(t, "deploy/vault/rules/secrets.yaml")
	for _, caller := range []string{"embedder", "generator"} {
		for _, name := range []string{"openai_api_key", "vault:mlsdm/openai#api_key"} {
			ruling, err := secretd.Explain("secrets.yaml", []byte(text), caller, name)
			require.NoError(t, err)
			require.True(t, ruling.Get, "%s %s", caller, name)
			require.False(t, ruling.Refresh, "%s %s", caller, name)
		}
	}
	ruling, err := secretd.Explain("secrets.yaml", []byte(text), "dispatcher", "openai_api_key")
	require.NoError(t, err)
	require.False(t, ruling.Get)
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
