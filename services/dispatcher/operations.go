package dispatcher

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// operationTimeout bounds the work on one request, which is a look into memory.
const operationTimeout = 5 * time.Second

// serve answers requests about endpoints.
func (s *Service) serve(ctx context.Context) error {
	return s.bus.Serve(ctx, bus.Service{
		Name: events.MicroName(events.ServiceDispatcher), Version: s.version, Description: "delivers events as signed webhooks", DrainTimeout: s.drain,
		Operations: []bus.Operation{
			{Name: events.OpEndpointsList, Timeout: operationTimeout, Handler: s.listEndpoints},
			{Name: events.OpEndpointsGet, Timeout: operationTimeout, Handler: s.getEndpoint},
		},
	})
}

// listEndpoints answers with every endpoint. An empty body asks for as much as {}.
func (s *Service) listEndpoints(_ context.Context, r *bus.Request) error {
	if len(r.Body) > 0 {
		var request events.EndpointsListRequest
		if err := events.DecodeJSON(r.Body, &request); err != nil {
			return err
		}
	}
	list := events.EndpointsList{Endpoints: make([]events.Endpoint, 0, s.endpoints.Len())}
	for _, e := range s.endpoints.All() {
		list.Endpoints = append(list.Endpoints, e.View())
	}
	return respond(r, list)
}

// getEndpoint answers with one endpoint.
func (s *Service) getEndpoint(_ context.Context, r *bus.Request) error {
	var request events.EndpointRequest
	if err := events.DecodeJSON(r.Body, &request); err != nil {
		return err
	}
	if err := events.CheckToken("id", request.ID); err != nil {
		return err
	}
	e, ok := s.endpoints.Get(request.ID)
	if !ok {
		return events.Errorf(events.CodeNotFound, "there is no endpoint %q", request.ID)
	}
	return respond(r, e.View())
}

// respond answers in JSON.
func respond(r *bus.Request, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("writing the answer as JSON: %w", err)
	}
	return r.Respond(body)
}
