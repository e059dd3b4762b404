package containers_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// What the cluster writes anew is as the stack of one machine has it: images, health that can be asked for, nothing that is open.
func TestClusterIsLockedDownAsTheStackIs(t *testing.T) {
	t.Parallel()
	var all compose
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/cluster/docker-compose.yml")), &all))
	one := readCompose(t)
	of := map[string]string{
		"nats-1": "nats", "nats-2": "nats", "nats-3": "nats", "redis-1": "redis", "redis-2": "redis", "redis-3": "redis",
		"sentinel-1": "redis", "sentinel-2": "redis", "sentinel-3": "redis",
	}
	for name, like := range of {
		c, base := all.Services[name], one.Services[like]
		require.Equal(t, base.Image, c.Image, name)
		require.Equal(t, base.User, c.User, name)
		require.Equal(t, base.ReadOnly, c.ReadOnly, name)
		require.Equal(t, base.CapDrop, c.CapDrop, name)
		require.Equal(t, base.SecurityOpt, c.SecurityOpt, name)
		require.Equal(t, base.Ulimits, c.Ulimits, name)
		require.Equal(t, []any{base.PidsLimit, base.MemLimit, base.CPUs}, []any{c.PidsLimit, c.MemLimit, c.CPUs}, name)
		require.Equal(t, base.Restart, c.Restart, name)
		require.Equal(t, base.Secrets, c.Secrets, name)
		require.NotEmpty(t, c.Healthcheck.Test, name)
		for _, port := range c.Ports {
			require.Regexp(t, `^127\.0\.0\.1:`, port, name)
		}
	}
	for name, c := range all.Services {
		if _, anew := of[name]; anew || name == "nats" || name == "redis" {
			continue
		}
		require.True(t, name == job || slices.ContainsFunc(services.Units(), func(u service.Unit) bool { return u.Name == name }), name)
		require.Empty(t, c.Image, "%s is that of the stack", name)
		require.Empty(t, c.Secrets, name)
		require.Empty(t, c.Volumes, name)
		require.Equal(t, "nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222", c.Environment["NATS_URL"], name)
	}
	require.Equal(t, "3", all.Services[job].Environment["MLSDM_REPLICAS"])
}
