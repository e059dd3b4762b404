package dispatcher

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// How long the work on one request may take.
const (
	endpointTimeout = 10 * time.Second
	pageTimeout     = 30 * time.Second
	testTimeout     = events.MaxEndpointTimeout + 10*time.Second
)

// newRegistry makes the registry of endpoints.
func (s *Service) newRegistry() (*registry.Registry, error) {
	resolver, err := s.newResolver(s.secrets)
	if err != nil {
		return nil, err
	}
	var static []*target.Endpoint
	if s.static != nil {
		static = append(static, s.static)
	}
	return registry.New(registry.Config{
		Bus: s.bus, Logger: s.log, Keys: keyring.New(s.sealer), Resolver: resolver, CheckURL: s.outlet.CheckURL,
		Client: func(c *tls.Config) *http.Client {
			return s.outlet.client(egress.ClientOptions{MaxIdle: s.cfg.Workers, TLS: c})
		},
		Static: static, Status: s.status, Shown: s.missed.add,
		Prepare: s.prepare, Forget: s.forget, Enable: s.gates.Enable,
	}), nil
}

// status says how an endpoint does.
func (s *Service) status(id string) events.EndpointStatus {
	if to, ok := s.registry.Set().Get(id); ok && to.Disabled() {
		return events.EndpointStatus{State: events.EndpointDisabledState, Reason: "by its operator"}
	}
	return s.gates.Health(id).View()
}

// newResolver makes what resolves the references of endpoints. Whoever may make endpoints must not learn the dispatcher's own
// secrets by that.
func (s *Service) newResolver(store secret.Named) (*keyring.Resolver, error) {
	refused, err := ownSettings()
	if err != nil {
		return nil, err
	}
	return keyring.NewResolver(keyring.Options{Store: store, Allow: s.cfg.Secrets, Refused: refused, Lookup: os.LookupEnv})
}

// followRotations has the endpoints ask again for the secrets that are rotated, until ctx ends. What is missed takes effect when
// they ask by themselves.
func (s *Service) followRotations(ctx context.Context) error {
	return remote.Rotations(ctx, s.bus, func(r events.SecretRotated) { s.registry.Rotated(r.Name) }, nil)
}

// ownSettings lists the environment variables of the dispatcher itself.
func ownSettings() ([]string, error) {
	fields, err := config.Fields(&Config{})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Env...)
	}
	return names, nil
}

// serve answers requests about endpoints and deliveries.
func (s *Service) serve(ctx context.Context) error {
	return s.bus.Serve(ctx, bus.Service{
		Name: events.MicroName(events.ServiceDispatcher), Version: s.version, Description: "delivers events as signed webhooks", DrainTimeout: s.drain,
		Operations: []bus.Operation{
			{Name: events.OpEndpointsList, Timeout: endpointTimeout, Handler: answer(now(s.registry.List))},
			{Name: events.OpEndpointsGet, Timeout: endpointTimeout, Handler: answer(now(s.registry.Get))},
			{Name: events.OpEndpointsCreate, Timeout: endpointTimeout, Handler: strictly(s.registry.Create)},
			{Name: events.OpEndpointsUpdate, Timeout: endpointTimeout, Handler: strictly(s.registry.Update)},
			{Name: events.OpEndpointsDelete, Timeout: endpointTimeout, Handler: strictly(s.registry.Delete)},
			{Name: events.OpEndpointsRotate, Timeout: endpointTimeout, Handler: strictly(s.registry.Rotate)},
			{Name: events.OpEndpointsTest, Timeout: testTimeout, Handler: answer(s.testEndpoint)},
			{Name: events.OpDeliveriesList, Timeout: pageTimeout, Handler: answer(s.history.List)},
			{Name: events.OpDeliveriesGet, Timeout: pageTimeout, Handler: answer(s.history.Get)},
			{Name: events.OpDeliveriesReplay, Timeout: pageTimeout, Handler: strictly(s.history.Replay)},
		},
	})
}

// answer makes a handler of an operation. An empty body asks for as much as {}.
func answer[Request, Response any](do func(context.Context, Request) (Response, error)) func(context.Context, *bus.Request) error {
	return handler(func(body []byte, v any) error {
		if len(body) == 0 {
			return nil
		}
		return events.DecodeJSON(body, v)
	}, do)
}

// strictly makes a handler of an operation that changes something: a field that there is not is one that is misspelt, and would
// not do what its writer thinks.
func strictly[Request, Response any](do func(context.Context, Request) (Response, error)) func(context.Context, *bus.Request) error {
	return handler(registry.Decode, do)
}

// handler makes a handler of an operation.
func handler[Request, Response any](
	decode func(body []byte, v any) error, do func(context.Context, Request) (Response, error),
) func(context.Context, *bus.Request) error {
	return func(ctx context.Context, r *bus.Request) error {
		var request Request
		if err := decode(r.Body, &request); err != nil {
			return err
		}
		if v, ok := any(request).(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return err
			}
		}
		response, err := do(ctx, request)
		if err != nil {
			return err
		}
		body, err := json.Marshal(response)
		if err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
		return r.Respond(body)
	}
}

// now makes an operation of one that only looks into memory.
func now[Request, Response any](do func(Request) (Response, error)) func(context.Context, Request) (Response, error) {
	return func(_ context.Context, r Request) (Response, error) { return do(r) }
}

// testEndpoint answers with what came of a test webhook.
func (s *Service) testEndpoint(ctx context.Context, r events.EndpointRequest) (events.DeliveryAttempt, error) {
	to, ok := s.registry.Set().Get(r.ID)
	if !ok {
		return events.DeliveryAttempt{}, events.Errorf(events.CodeNotFound, "there is no endpoint %q", r.ID)
	}
	return s.test(ctx, to)
}

// deliverable says why nothing can be delivered to an endpoint.
func (s *Service) deliverable(id string) error {
	to, ok := s.registry.Set().Get(id)
	switch {
	case !ok:
		return events.Errorf(events.CodeNotFound, "there is no endpoint %q", id)
	case to.Disabled() || s.gates.Health(id).Disabled:
		return events.Errorf(events.CodeFailedPrecondition, "the endpoint %q is disabled; enable it first", id)
	default:
		return nil
	}
}
