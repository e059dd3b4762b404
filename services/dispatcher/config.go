package dispatcher

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/endpoint"
)

// Config is what an operator sets.
type Config struct {
	URL           string        `name:"webhook-url" env:"WEBHOOK_URL" placeholder:"URL" help:"Where events are posted to. Without it nothing is delivered."`
	Secret        secret.Value  `name:"webhook-secret" env:"WEBHOOK_SECRET" placeholder:"SECRET" help:"Signs what is posted: whsec_ and base64, or any text. Required with a URL."`
	Events        []string      `name:"webhook-events" env:"WEBHOOK_EVENTS" default:">" help:"Types of the events to post; * stands for one part, a final > for all that follow."`
	AllowNetworks []string      `name:"webhook-allow-networks" env:"WEBHOOK_ALLOW_NETWORKS" placeholder:"CIDR" help:"Networks that are not public and may be posted to all the same, such as 10.1.0.0/16."`
	AllowLoopback bool          `name:"webhook-allow-loopback" env:"WEBHOOK_ALLOW_LOOPBACK" help:"Post to receivers on this machine too (127.0.0.0/8 and ::1), beside the networks above."`
	Timeout       time.Duration `name:"webhook-timeout" env:"WEBHOOK_TIMEOUT" default:"15s" help:"How long one attempt may take, up to 5m."`
	MaxAttempts   int           `name:"webhook-max-attempts" env:"WEBHOOK_MAX_ATTEMPTS" default:"10" help:"How often a delivery is tried before it goes to dead letters, 1 to 1000."`
	BackoffBase   time.Duration `name:"webhook-backoff-base" env:"WEBHOOK_BACKOFF_BASE" default:"1s" help:"The wait before the second attempt; it doubles with each that follows."`
	BackoffCap    time.Duration `name:"webhook-backoff-cap" env:"WEBHOOK_BACKOFF_CAP" default:"5s" help:"The longest wait, up to 24h."`
	BackoffJitter time.Duration `name:"webhook-backoff-jitter" env:"WEBHOOK_BACKOFF_JITTER" default:"500ms" help:"At most this much is added to a wait at random, up to 1h."`
	Workers       int           `name:"webhook-workers" env:"WEBHOOK_WORKERS" default:"64" help:"Attempts at the same time, 1 to 1024."`
}

// The setting that allows networks, as the operator knows it.
const allowSetting = "WEBHOOK_ALLOW_NETWORKS"

// defaultEndpoint is the id of the endpoint that the configuration describes.
const defaultEndpoint = "default"

// Bounds of settings.
const (
	maxTimeout  = 5 * time.Minute
	maxAttempts = 1000
	maxBackoff  = 24 * time.Hour
	maxJitter   = time.Hour
	maxWorkers  = 1024
)

// Validate checks what one setting cannot say alone. Its errors quote neither the URL nor the secret.
func (c Config) Validate() error {
	if err := errors.Join(
		within("webhook-timeout", c.Timeout, time.Millisecond, maxTimeout),
		within("webhook-max-attempts", c.MaxAttempts, 1, maxAttempts),
		within("webhook-backoff-base", c.BackoffBase, 0, maxBackoff),
		within("webhook-backoff-cap", c.BackoffCap, 0, maxBackoff),
		within("webhook-backoff-jitter", c.BackoffJitter, 0, maxJitter),
		within("webhook-workers", c.Workers, 1, maxWorkers),
	); err != nil {
		return err
	}
	_, err := c.endpoints()
	return err
}

// within checks that a setting lies in a range.
func within[T int | time.Duration](name string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %v; it must be %v to %v", name, value, least, most)
	}
	return nil
}

// endpoints returns the endpoints that the configuration describes: one, or none.
func (c Config) endpoints() (endpoint.Set, error) {
	networks, err := c.networks()
	if err != nil {
		return endpoint.Set{}, err
	}
	for _, pattern := range c.Events {
		if err := endpoint.CheckPattern(pattern); err != nil {
			return endpoint.Set{}, fmt.Errorf("webhook-events: the pattern %q: %w", pattern, err)
		}
	}
	if c.URL == "" {
		return endpoint.NewSet(), nil
	}
	u, err := endpoint.ParseURL(c.URL)
	if err != nil {
		return endpoint.Set{}, fmt.Errorf("webhook-url: %w", err)
	}
	if err := checkHost(u, networks); err != nil {
		return endpoint.Set{}, fmt.Errorf("webhook-url: %w", err)
	}
	if c.Secret.IsZero() {
		return endpoint.Set{}, errors.New("webhook-url is set and webhook-secret is not: webhooks are never sent unsigned; set WEBHOOK_SECRET to a text that the receiver knows too")
	}
	hook, err := webhook.New(c.Secret.Reveal())
	if err != nil {
		return endpoint.Set{}, fmt.Errorf("webhook-secret: %w", err)
	}
	return endpoint.NewSet(endpoint.Endpoint{
		ID: defaultEndpoint, URL: u, Hook: hook, Patterns: c.Events, Source: endpoint.SourceEnvironment,
	}), nil
}

// networks returns the networks that are not public and may be posted to.
func (c Config) networks() ([]netip.Prefix, error) {
	allowed := slices.Clone(c.AllowNetworks)
	if c.AllowLoopback {
		allowed = append(allowed, "127.0.0.0/8", "::1/128")
	}
	networks, err := egress.ParseNetworks(allowed)
	if err != nil {
		return nil, fmt.Errorf("webhook-allow-networks: %w", err)
	}
	return networks, nil
}

// checkHost refuses a URL that names a blocked address itself, because no delivery could ever succeed. A host name is
// judged by what it resolves to, each time that it is dialled.
func checkHost(u *url.URL, allowed []netip.Prefix) error {
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil //nolint:nilerr // a host name
	}
	guard, err := egress.NewGuard(egress.Policy{Setting: allowSetting, Networks: allowed})
	if err != nil {
		return err
	}
	return guard.Check(addr)
}

// backoff returns the wait between attempts, without its jitter.
func (c Config) backoff() retry.Backoff {
	return retry.Backoff{Base: c.BackoffBase, Cap: c.BackoffCap}
}
