package target

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// View returns the endpoint as it may be shown: references instead of secrets, and *** for what may be a secret and was
// written as it is, in a URL or a header. How it does, [events.Endpoint.Status], is left out.
func (e *Endpoint) View() events.Endpoint {
	p := &e.parts
	spec := p.Spec
	spec.URL = viewURL(spec.URL)
	spec.Headers = viewHeaders(spec.Headers)
	return events.Endpoint{
		EndpointSpec: spec, Source: p.Source, Revision: p.Revision, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Keys: p.Shown,
	}
}

// viewURL returns a URL as it may be shown, or the reference that stands for one.
func viewURL(text string) string {
	if keyring.IsReference(text) {
		return text
	}
	u, err := ParseURL(text)
	if err != nil { // a record of another version, perhaps; whatever it is, it may hide something
		return masked
	}
	return maskURL(u)
}

// viewHeaders returns headers as they may be shown.
func viewHeaders(headers map[string]string) map[string]string {
	shown := maps.Clone(headers)
	for name, value := range shown {
		if confidential(name) && !keyring.IsReference(value) {
			shown[name] = masked
		}
	}
	return shown
}

// hidden returns the names of all headers whose values must not be recorded.
func hidden(p Parts) []string {
	names := slices.Clip(p.Hidden)
	for name := range p.Header {
		if canonical := http.CanonicalHeaderKey(name); confidential(name) && !slices.Contains(names, canonical) {
			names = append(names, canonical)
		}
	}
	return names
}

// confidential reports whether the name of a header says that its value is a secret.
func confidential(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"auth", "cookie", "token", "secret", "pass", "pwd", "jwt", "bearer", "key", "credential", "session", "signature"},
		func(word string) bool { return strings.Contains(name, word) })
}
