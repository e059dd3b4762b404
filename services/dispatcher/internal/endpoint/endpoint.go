// Package endpoint holds the webhook endpoints of a running dispatcher, and says which of them want an event.
package endpoint

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// SourceEnvironment marks an endpoint that comes from the service's own configuration.
const SourceEnvironment = "environment"

// masked stands for what is not shown of an endpoint's URL.
const masked = "***"

// Endpoint is a receiver of webhooks.
type Endpoint struct {
	// ID is a subject token.
	ID string
	// URL is where events are posted to.
	URL *url.URL
	// Hook signs what is sent.
	Hook *webhook.Webhook
	// Patterns choose events by type; see [CheckPattern].
	Patterns []string
	// Source says where the endpoint is configured, for example [SourceEnvironment].
	Source string
}

// ParseURL reads an endpoint's URL: absolute, http or https, with a host and without a fragment. Its errors do not
// quote the URL, which may hold credentials.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL such as https://example.com/hook")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("its scheme must be http or https")
	case u.Hostname() == "":
		return nil, errors.New("it names no host")
	case u.Fragment != "":
		return nil, errors.New("it has a fragment (#…), which is never sent")
	}
	return u, nil
}

// Wants reports whether the endpoint is to get ev. It never gets news about itself.
func (e Endpoint) Wants(ev events.Event) bool {
	entry, known := events.FindType(ev.Type)
	if !known || !entry.NoEcho {
		return slices.ContainsFunc(e.Patterns, func(p string) bool { return matches(p, ev.Type) })
	}
	return slices.Contains(e.Patterns, ev.Type) && aboutEndpoint(ev) != e.ID
}

// View returns the endpoint as it may be shown: without its secret, and without what its URL may hide.
func (e Endpoint) View() events.Endpoint {
	shown := *e.URL
	if shown.User != nil {
		shown.User = url.User(masked)
	}
	if shown.RawQuery != "" {
		query := shown.Query()
		for name := range query {
			query[name] = []string{masked}
		}
		shown.RawQuery = query.Encode()
	}
	text := strings.ReplaceAll(shown.String(), url.QueryEscape(masked), masked)
	return events.Endpoint{EndpointSpec: events.EndpointSpec{ID: e.ID, URL: text, Events: e.Patterns}, Source: e.Source}
}

// Set is an immutable set of endpoints.
type Set struct {
	ordered []Endpoint // by id
	byID    map[string]Endpoint
}

// NewSet returns the set of the given endpoints; of two with the same id the last one counts.
func NewSet(endpoints ...Endpoint) Set {
	s := Set{byID: make(map[string]Endpoint, len(endpoints))}
	for _, e := range endpoints {
		s.byID[e.ID] = e
	}
	s.ordered = slices.SortedFunc(maps.Values(s.byID), func(a, b Endpoint) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

// All returns the endpoints ordered by id.
func (s Set) All() []Endpoint { return slices.Clone(s.ordered) }

// Len returns the number of endpoints.
func (s Set) Len() int { return len(s.ordered) }

// Get returns the endpoint with an id.
func (s Set) Get(id string) (Endpoint, bool) {
	e, ok := s.byID[id]
	return e, ok
}

// For returns the endpoints that want ev, ordered by id.
func (s Set) For(ev events.Event) []Endpoint {
	var wanting []Endpoint
	for _, e := range s.ordered {
		if e.Wants(ev) {
			wanting = append(wanting, e)
		}
	}
	return wanting
}
