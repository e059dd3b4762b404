package containers_test

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// elsewhere are settings that the stack has no use for: how to log in otherwise than it does, another Redis than its own, and second
// names; and one that it has from a file.
func elsewhere() []string {
	return []string{
		"NATS_CREDS", "NATS_USER", "NATS_PASSWORD", "NATS_TOKEN", "MLSDM_SECRETD_KEY", "NATS_CA", "NATS_CERT", "NATS_KEY",
		"REDIS_ADDRS", "REDIS_MASTER", "REDIS_CLUSTER", "REDIS_USER", "REDIS_SENTINEL_USER", "REDIS_SENTINEL_PASSWORD", "REDIS_DB",
		"REDIS_TLS", "REDIS_CA_FILE", "REDIS_CERT_FILE", "REDIS_KEY_FILE", "REDIS_SERVER_NAME",
	}
}

// vendors are variables that the clients of secret stores read themselves.
func vendors() []string {
	return []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID",
	}
}

// What can be set can be set in the stack too, and nothing is passed that nobody reads.
func TestComposePassesEverySetting(t *testing.T) {
	t.Parallel()
	common, err := service.CommonFields()
	require.NoError(t, err)
	containers := readCompose(t).Services
	for _, unit := range services.Units() {
		t.Run(unit.Name, func(t *testing.T) {
			t.Parallel()
			own, err := unit.Fields()
			require.NoError(t, err)
			environment := maps.Clone(containers[unit.Name].Environment)
			if unit.Name == keeper {
				for _, name := range append(secrets(t), vendors()...) {
					delete(environment, name)
				}
			}
			requirePassed(t, environment, slices.Concat(common, own))
		})
	}
	t.Run(job, func(t *testing.T) {
		t.Parallel()
		own, err := config.Fields(&provision.Config{})
		require.NoError(t, err)
		environment := containers[job].Environment
		for _, f := range own {
			require.Contains(t, environment, f.Env[0])
		}
	})
}

func requirePassed(t *testing.T, environment map[string]string, fields []config.Field) {
	t.Helper()
	var known []string
	for _, f := range fields {
		known = append(known, f.Env...)
		if !slices.Contains(elsewhere(), f.Env[0]) {
			require.Contains(t, environment, f.Env[0])
		}
	}
	for name := range environment {
		require.Contains(t, known, name, "no setting reads it")
	}
}

// secrets are the variables of the other services that hold secrets of theirs.
func secrets(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, unit := range services.Units() {
		if unit.Name == keeper {
			continue
		}
		own, err := unit.Fields()
		require.NoError(t, err)
		for _, f := range own {
			if f.Secret {
				names = append(names, f.Env...)
			}
		}
	}
	return names
}

// The example names every variable, with the default that it has.
func TestEnvExampleNamesEverySetting(t *testing.T) {
	t.Parallel()
	example := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$`).FindAllStringSubmatch(read(t, ".env.example"), -1) {
		require.NotContains(t, example, m[1], "it stands there twice")
		example[m[1]] = m[2]
	}
	common, err := service.CommonFields()
	require.NoError(t, err)
	assets, err := config.Fields(&provision.Config{})
	require.NoError(t, err)
	fields := slices.Concat(common, assets)
	for _, unit := range services.Units() {
		own, err := unit.Fields()
		require.NoError(t, err)
		fields = append(fields, own...)
	}
	for _, f := range fields {
		require.Contains(t, example, f.Env[0])
		if f.Default != "" {
			require.Equal(t, f.Default, example[f.Env[0]], f.Env[0])
		}
	}
}
