package dispatcher

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// Config is what an operator sets. The endpoint that it describes, if any, has the id "default"; all others are made over the
// bus.
type Config struct {
	URL           secret.Value   `name:"webhook-url" env:"WEBHOOK_URL" placeholder:"URL" help:"Where events are posted to, beside the endpoints that are made over the bus. It may be a secret in itself."`
	Secret        secret.Value   `name:"webhook-secret" env:"WEBHOOK_SECRET" placeholder:"SECRET" help:"Signs what is posted to it: whsec_ and base64, or any text. Required with a URL."`
	Events        []string       `name:"webhook-events" env:"WEBHOOK_EVENTS" default:">" help:"Types of the events to post to it; * stands for one part, a final > for all that follow."`
	Format        string         `name:"webhook-format" env:"WEBHOOK_FORMAT" default:"standard" help:"Body of what is posted to it: standard, cloudevents, or mlsdm (that of the Python client)."`
	Retry         []string       `name:"webhook-retry" env:"WEBHOOK_RETRY" default:"fast" help:"When it is tried again: fast (3 attempts within seconds), standard (10 within 76 hours), or waits such as 5s,1m,1h."`
	Timeout       time.Duration  `name:"webhook-timeout" env:"WEBHOOK_TIMEOUT" default:"15s" help:"How long one attempt to post to it may take, up to 5m."`
	AllowNetworks []string       `name:"webhook-allow-networks" env:"WEBHOOK_ALLOW_NETWORKS" placeholder:"CIDR" help:"Networks that are not public and may be posted to all the same, also without TLS, such as 10.1.0.0/16. Metadata services only by their own address."`
	AllowLoopback bool           `name:"webhook-allow-loopback" env:"WEBHOOK_ALLOW_LOOPBACK" help:"Post to receivers on this machine too (127.0.0.0/8 and ::1), beside the networks above."`
	AllowHosts    []string       `name:"webhook-allow-hosts" env:"WEBHOOK_ALLOW_HOSTS" placeholder:"HOST" help:"Hosts that may be posted to although their names lead to private addresses, also without TLS; *.example.com stands for all below it."`
	AllowHTTP     bool           `name:"webhook-allow-http" env:"WEBHOOK_ALLOW_HTTP" help:"Post to public addresses without TLS too."`
	Proxy         secret.Value   `name:"webhook-proxy" env:"WEBHOOK_PROXY" placeholder:"URL" help:"HTTP proxy (CONNECT) through which everything is posted; addresses are judged before all the same."`
	SealKeys      []secret.Value `name:"webhook-seal-keys" env:"WEBHOOK_SEAL_KEYS" placeholder:"KEY" help:"Keys (base64 of 32 bytes) that close generated signing keys where they are kept; the first closes, all open. A secret that is referred to may hold several."`
	Secrets       []string       `name:"webhook-secrets" env:"WEBHOOK_SECRETS" default:"webhook.*" help:"Names of the secrets that endpoints may refer to as secret:NAME."`
	Workers       int            `name:"webhook-workers" env:"WEBHOOK_WORKERS" default:"128" help:"First attempts at the same time, 2 to 1024; a quarter as many more make later ones."`
}

// Names of settings in errors.
const allowSetting = "WEBHOOK_ALLOW_NETWORKS"

// defaultEndpoint is the id of the endpoint that the configuration describes.
const defaultEndpoint = "default"

// sourceEnvironment says of an endpoint that the configuration describes it.
const sourceEnvironment = "environment"

// Bounds of settings.
const (
	minWorkers = 2
	maxWorkers = 1024
)

// retryWorkers is how many attempts after the first are made at the same time, as the help of Workers says.
func (c Config) retryWorkers() int { return max(c.Workers/4, 1) }

// Validate checks what one setting cannot say alone. Its errors quote neither the URL nor the secret. What a setting refers to
// is checked when it is known, before the service starts.
func (c Config) Validate() error {
	if c.Workers < minWorkers || c.Workers > maxWorkers {
		return fmt.Errorf("webhook-workers is %d; it must be %d to %d", c.Workers, minWorkers, maxWorkers)
	}
	if c.Timeout < time.Millisecond || c.Timeout > events.MaxEndpointTimeout {
		return fmt.Errorf("webhook-timeout is %s; it must be 1ms to %s", c.Timeout, events.MaxEndpointTimeout)
	}
	if !slices.ContainsFunc(c.SealKeys, secret.Value.IsPending) {
		if _, err := keyring.NewSealer(c.SealKeys); err != nil {
			return fmt.Errorf("webhook-seal-keys: %w", err)
		}
	}
	guard, err := c.guard()
	if err != nil {
		return err
	}
	parts, err := c.static(guard)
	if err == nil && parts != nil {
		_, err = target.New(*parts)
	}
	return err
}

// guard returns what judges where webhooks may go. Its errors do not quote the proxy, which may hold a password.
func (c Config) guard() (*egress.Guard, error) {
	networks, err := c.networks()
	if err != nil {
		return nil, err
	}
	policy := egress.Policy{
		Setting: allowSetting, Networks: networks, Hosts: c.AllowHosts, AllowHTTP: c.AllowHTTP,
	}
	if !c.Proxy.IsZero() && !c.Proxy.IsPending() {
		if policy.Proxy, err = url.Parse(c.Proxy.Reveal()); err != nil || policy.Proxy.Host == "" {
			return nil, errors.New("webhook-proxy is not a URL such as http://proxy.example.com:3128")
		}
	}
	guard, err := egress.NewGuard(policy)
	if err != nil {
		return nil, fmt.Errorf("webhook-allow-hosts or webhook-proxy: %w", err)
	}
	return guard, nil
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

// staticSpec is what is written of the endpoint that the configuration describes, with a URL that stands for its own.
func (c Config) staticSpec() events.EndpointSpec {
	return events.EndpointSpec{
		ID: defaultEndpoint, URL: "https://example.com", Events: c.Events, Format: c.Format, Retry: c.Retry,
		Timeout: c.Timeout.String(), BodySignature: true,
	}
}

// static returns what the endpoint that the configuration describes is made of, but for what sends, or nil: when it describes
// none, and as long as it refers to what is not known yet.
func (c Config) static(guard *egress.Guard) (*target.Parts, error) {
	spec := c.staticSpec()
	if err := target.Check(spec); err != nil { // first without the URL, which is none of the reader's business
		return nil, errors.New("webhook-" + events.AsError(err).Message) // which begins with the field: webhook-retry has …
	}
	if c.URL.IsZero() {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	if c.Secret.IsZero() {
		return nil, errors.New("webhook-url is set and webhook-secret is not: webhooks are never sent unsigned; set WEBHOOK_SECRET to a text that the receiver knows too")
	}
	if c.URL.IsPending() || c.Secret.IsPending() {
		return nil, nil //nolint:nilnil // documented: it is not known yet
	}
	u, err := url.Parse(c.URL.Reveal())
	if err != nil {
		return nil, errors.New("webhook-url: it is not a URL such as https://example.com/hook")
	}
	if err := guard.CheckURL(u); err != nil {
		return nil, fmt.Errorf("webhook-url: %w", err)
	}
	signer, err := webhook.NewHMAC(c.Secret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("webhook-secret: %w", err)
	}
	spec.URL = c.URL.Reveal()
	return &target.Parts{
		Spec: spec, URL: u, Source: sourceEnvironment, Keys: []target.Key{{Signer: signer, BodySecret: c.Secret}},
	}, nil
}
