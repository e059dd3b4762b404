package helm_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is wrong is refused, and the message says where it is.
func TestWrongValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path  string
		value any
		says  string
	}{
		{"service", map[string]any{}, "additional properties 'service' not allowed"},
		{"services.embeder", map[string]any{}, "additional properties 'embeder' not allowed"},
		{"services.embedder.replica", 3, "additional properties 'replica' not allowed"},
		{"services.embedder.replicas", "3", "/services/embedder/replicas"},
		{"services.embedder.replicas", -1, "/services/embedder/replicas"},
		{"services.embedder.resources.limits.memory", "512M", "/services/embedder/resources/limits/memory"},
		{"services.embedder.env.OPENAI_API_KEY", "sk-plain", "/services/embedder/env/OPENAI_API_KEY"},
		{"services.embedder.env.lower", "x", "invalid propertyName 'lower'"},
		{"services.embedder.secretEnv.OPENAI_API_KEY", "sk-plain", "/services/embedder/secretEnv/OPENAI_API_KEY"},
		{"services.ciwatch.autoscaling", map[string]any{}, "additional properties 'autoscaling' not allowed"},
		{"services.secretd.network.ports", []any{0}, "/services/secretd/network/ports/0"},
		{"bus.url", "nats://user:password@bus:4222", "/bus/url"},
		{"bus.url", "http://bus", "/bus/url"},
		{"bus.url", "", "bus.url is empty"},
		{"bus.prefix", "two.tokens", "/bus/prefix"},
		{"bus.secretdKey", "SUABC", "/bus/secretdKey"},
		{"image.pullPolicy", "Sometimes", "/image/pullPolicy"},
		{"provision.mode", "never", "/provision/mode"},
		{"networkPolicy.bus", []any{map[string]any{}}, "/networkPolicy/bus/0"},
		{"redis.enabled", true, "redis.enabled needs redis.host"},
		{"secrets.external.enabled", true, "secrets.external.storeName"},
		{"services.embedder.autoscaling.enabled", true, "bus.monitoring is empty"},
	} {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, set(values(t, "small"), c.path, c.value))
			require.ErrorContains(t, err, c.says)
		})
	}
}

// What does not go together is refused.
func TestWrongTogether(t *testing.T) {
	t.Parallel()
	_, err := render(t, set(values(t, "airgapped"), "provision.mode", "hook"))
	require.ErrorContains(t, err, "provision.mode hook runs before")
	_, err = render(t, set(values(t, "production"), "spool.persistence.accessMode", "ReadWriteOnce"))
	require.ErrorContains(t, err, "spool.persistence.accessMode must be ReadWriteMany")
	_, err = render(t, set(values(t, "production"), "services.embedder.autoscaling.maxReplicas", 2))
	require.ErrorContains(t, err, "maxReplicas is less than minReplicas")
}

// No variable that holds a secret takes one as text; all of them take a reference.
func TestSecretsAreRefusedAsText(t *testing.T) {
	t.Parallel()
	for _, name := range secretVariables(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, set(values(t, "small"), "env."+name, "plain"))
			require.ErrorContains(t, err, "/env/"+name)
			_, err = render(t, set(values(t, "small"), "env."+name, "secret:name"))
			require.NoError(t, err)
		})
	}
}
