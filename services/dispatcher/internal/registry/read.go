package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// Bounds of one page of a list: its endpoints, and about its bytes, which clients bound too.
const (
	maxPage      = 1000
	maxPageBytes = 768 << 10
)

// Get shows an endpoint. The error is of code not_found.
func (r *Registry) Get(req events.EndpointRequest) (events.Endpoint, error) {
	if err := req.Validate(); err != nil {
		return events.Endpoint{}, err
	}
	e, ok := r.Set().Get(req.ID)
	if !ok {
		return events.Endpoint{}, notFound(req.ID)
	}
	return r.view(e), nil
}

// List shows endpoints in the order of their ids, a page at a time.
func (r *Registry) List(req events.EndpointsListRequest) (events.EndpointsList, error) {
	if err := req.Validate(); err != nil {
		return events.EndpointsList{}, err
	}
	limit := req.Limit
	if limit == 0 {
		limit = maxPage
	}
	all := r.Set().All()
	from, found := slices.BinarySearchFunc(all, req.After, func(e *target.Endpoint, id string) int { return strings.Compare(e.ID(), id) })
	if found {
		from++
	}
	page := events.EndpointsList{Endpoints: make([]events.Endpoint, 0, min(limit, len(all)-from))}
	bytes := 0
	for _, e := range all[from:] {
		view := r.view(e)
		text, err := json.Marshal(view)
		if err != nil {
			return events.EndpointsList{}, fmt.Errorf("writing endpoint %s: %w", e.ID(), err)
		}
		bytes += len(text)
		if n := len(page.Endpoints); n == limit || n > 0 && bytes > maxPageBytes {
			page.Next = page.Endpoints[n-1].ID
			break
		}
		page.Endpoints = append(page.Endpoints, view)
	}
	return page, nil
}

// view shows an endpoint, with the keys that sign now, and how it does.
func (r *Registry) view(e *target.Endpoint) events.Endpoint {
	view := e.View()
	now := time.Now()
	view.Keys = slices.DeleteFunc(slices.Clone(view.Keys), func(key events.EndpointKey) bool {
		return !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt)
	})
	view.Status = r.cfg.Status(view.ID)
	if broken := e.Broken(); broken != nil && view.Status.State != events.EndpointDisabledState {
		view.Status.State = events.EndpointFailing
		view.Status.Reason = events.AsError(broken).Message
	}
	return view
}

// notFound is the error about an endpoint that is not there.
func notFound(id string) error {
	return events.Errorf(events.CodeNotFound, "there is no endpoint %q", id)
}
