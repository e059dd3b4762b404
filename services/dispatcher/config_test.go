package dispatcher_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*dispatcher.Config)
		want   string // in the error; empty means valid
	}{
		{"valid", func(*dispatcher.Config) {}, ""},
		{"idle", func(c *dispatcher.Config) { c.URL, c.Secret = secret.NewValue(""), secret.Value{} }, ""},
		{"secret without URL", func(c *dispatcher.Config) { c.URL = secret.NewValue("") }, ""},
		{"URL without secret", func(c *dispatcher.Config) { c.Secret = secret.Value{} }, "WEBHOOK_SECRET"},
		{"broken secret", func(c *dispatcher.Config) { c.Secret = secret.NewValue("whsec_" + testSecret) }, "webhook-secret"},
		{"no URL at all", func(c *dispatcher.Config) { c.URL = secret.NewValue(testSecret) }, "webhook-url"},
		{"other scheme", func(c *dispatcher.Config) { c.URL = secret.NewValue("ftp://example.com/" + testSecret) }, "https://"},
		{"allowed address", func(c *dispatcher.Config) { c.URL = secret.NewValue("http://127.0.0.1:1/") }, ""},
		{"blocked address", func(c *dispatcher.Config) { c.URL = secret.NewValue("http://169.254.169.254/" + testSecret) }, "WEBHOOK_ALLOW_NETWORKS"},
		{"blocked IPv6 address", func(c *dispatcher.Config) { c.URL = secret.NewValue("http://[::1]:80/") }, "WEBHOOK_ALLOW_NETWORKS"},
		{"loopback, IPv6", func(c *dispatcher.Config) { c.URL, c.AllowLoopback = secret.NewValue("http://[::1]:80/"), true }, ""},
		{"loopback beside others", func(c *dispatcher.Config) {
			c.URL, c.AllowNetworks, c.AllowLoopback = secret.NewValue("http://127.0.0.1:1/"), []string{"10.0.0.0/8"}, true
		}, ""},
		{"loopback is not all", func(c *dispatcher.Config) { c.URL, c.AllowLoopback = secret.NewValue("http://10.0.0.1/"), true }, "WEBHOOK_ALLOW_NETWORKS"},
		{"network", func(c *dispatcher.Config) { c.AllowNetworks = []string{"everything"} }, "webhook-allow-networks"},
		{"pattern", func(c *dispatcher.Config) { c.Events = []string{"ci.*", ">.ci"} }, "webhook-events"},
		{"timeout", func(c *dispatcher.Config) { c.Timeout = 0 }, "webhook-timeout"},
		{"long timeout", func(c *dispatcher.Config) { c.Timeout = time.Hour }, "5m0s"},
		{"one worker", func(c *dispatcher.Config) { c.Workers = 1 }, "webhook-workers"},
		{"no schedule", func(c *dispatcher.Config) { c.Retry = []string{"soon"} }, "retry"},
		{"negative wait", func(c *dispatcher.Config) { c.Retry = []string{"-1s"} }, "retry"},
		{"format", func(c *dispatcher.Config) { c.Format = "xml" }, "format"},
		{"seal key", func(c *dispatcher.Config) { c.SealKeys = []secret.Value{secret.NewValue(testSecret)} }, "webhook-seal-keys"},
		{"proxy", func(c *dispatcher.Config) { c.Proxy = secret.NewValue(testSecret) }, "webhook-proxy"},
		{"hosts", func(c *dispatcher.Config) { c.AllowHosts = []string{"a*b"} }, "webhook-allow-hosts"},
		{"plain http", func(c *dispatcher.Config) { c.URL, c.AllowHTTP = secret.NewValue("http://example.com/"), true }, ""},
		{"host without TLS", func(c *dispatcher.Config) {
			c.URL, c.AllowHosts = secret.NewValue("http://hooks.example.com/"), []string{"*.example.com"}
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config("https://example.com/hook")
			tt.change(&cfg)
			err := cfg.Validate()
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), testSecret)
		})
	}
}

// pending returns a value whose content is not known yet.
func pending(t *testing.T) secret.Value {
	t.Helper()
	reference, err := secret.NewReference("secret:webhook")
	require.NoError(t, err)
	return secret.Live(reference)
}

// What is not known yet is not judged before it is.
func TestValidateWithReferences(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*dispatcher.Config){
		"URL":       func(c *dispatcher.Config) { c.URL = pending(t) },
		"secret":    func(c *dispatcher.Config) { c.Secret = pending(t) },
		"proxy":     func(c *dispatcher.Config) { c.Proxy = pending(t) },
		"seal keys": func(c *dispatcher.Config) { c.SealKeys = append(c.SealKeys, pending(t)) },
	} {
		cfg := config("https://example.com/hook")
		change(&cfg)
		require.NoError(t, cfg.Validate(), name)
	}
	cfg := config("https://example.com/hook")
	cfg.URL, cfg.Secret = pending(t), secret.Value{}
	require.ErrorContains(t, cfg.Validate(), "WEBHOOK_SECRET", "what is missing can be said at once")
}
