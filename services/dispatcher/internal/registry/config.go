package registry

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// sourceBus marks endpoints that are managed over the bus.
const sourceBus = "bus"

// Bounds of what is kept.
const (
	// MaxEndpoints is how many endpoints can be created.
	MaxEndpoints = 100_000
	// MaxStrict is how many of them can be strictly ordered: each of those has a durable consumer, which costs the server much
	// more than an endpoint costs us.
	MaxStrict = 1000
	// maxKeys is how many keys an endpoint has, those that end included: each adds a signature to every webhook.
	maxKeys = events.MaxEndpointKeys
)

// Config is what a [Registry] needs. The hooks may be nil.
type Config struct {
	// Bus has the bucket [events.BucketEndpoints].
	Bus *bus.Bus
	// Logger hears of records that cannot be used, and of secrets that cannot be had.
	Logger *slog.Logger
	// Keys makes and opens signing keys.
	Keys *keyring.Ring
	// Resolver turns references into secrets.
	Resolver *keyring.Resolver
	// CheckURL says whether webhooks may be posted there, as far as the URL shows. Its errors must not quote the URL.
	CheckURL func(*url.URL) error
	// Client makes the HTTP client of a TLS configuration; with nil that of all endpoints without one.
	Client func(*tls.Config) *http.Client
	// Static are endpoints of the service's own configuration, which the bus cannot change.
	Static []*target.Endpoint
	// Status says how an endpoint does.
	Status func(id string) events.EndpointStatus
	// Shown is called when the set shows a change of an endpoint for the first time, with when the change was stored: what was
	// routed in between did not know of it. It must not block.
	Shown func(id string, stored time.Time)
	// Prepare is called before an endpoint is stored, with what it is going to be. It may be called again for the same one.
	Prepare func(ctx context.Context, e *target.Endpoint) error
	// Forget is called after an endpoint was deleted. It may be called for one that never was.
	Forget func(ctx context.Context, id string) error
	// Enable is called after somebody has asked for an endpoint to take webhooks again.
	Enable func(ctx context.Context, id string) error
}

// withDefaults fills in the hooks.
func (c Config) withDefaults() Config {
	if c.Status == nil {
		c.Status = func(string) events.EndpointStatus { return events.EndpointStatus{} }
	}
	if c.Shown == nil {
		c.Shown = func(string, time.Time) {}
	}
	if c.Prepare == nil {
		c.Prepare = func(context.Context, *target.Endpoint) error { return nil }
	}
	if c.Forget == nil {
		c.Forget = func(context.Context, string) error { return nil }
	}
	if c.Enable == nil {
		c.Enable = func(context.Context, string) error { return nil }
	}
	return c
}
