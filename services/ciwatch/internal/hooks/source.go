package hooks

import (
	"errors"
	"net/http"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Source is a forge that posts webhooks.
type Source struct {
	// Forge is its name in the configuration.
	Forge string
	// Credential is the header with the signature or token. A request that has it not once, or for which Glance returns false, is refused before
	// its body is read.
	Credential string
	// Glance reports whether the credential can be a good one; without it every one can. It is for credentials that do not depend on the body.
	Glance func(credential string) bool
	// Verify reports whether the forge has sent the request. It compares in constant time.
	Verify func(h http.Header, body []byte) bool
	// Delivery are the headers that may have the delivery's id, which stays the same when it is sent again; the first that is there has it.
	Delivery []string
	// Event is the header that names the event, Events the names that are read; others are acknowledged and ignored. Ping is one that is sent to try
	// the door, empty without one.
	Event  string
	Events []string
	Ping   string
	// Read returns what a body tells; nothing is no error. It keeps no part of body, and its error repeats nothing of it. The sightings' forge and
	// time are filled in by the door.
	Read func(event string, body []byte) ([]forge.Sighting, error)
}

// validate checks that nothing is missing.
func (s Source) validate() error {
	if s.Forge == "" || s.Credential == "" || s.Verify == nil || len(s.Delivery) == 0 || s.Event == "" || s.Read == nil {
		return errors.New("a source needs a forge, names of its headers, and how it is verified and read")
	}
	return nil
}

// glance reports whether a request may be signed, as far as its head says.
func (s *Source) glance(h http.Header) bool {
	credential, ok := once(h, s.Credential)
	return ok && credential != "" && (s.Glance == nil || s.Glance(credential))
}

// event returns the name of the event.
func (s *Source) event(h http.Header) (string, bool) {
	event, ok := once(h, s.Event)
	return event, ok && isName(event, " ")
}

// label is how the event stands in metrics and traces.
func (s *Source) label(event string) string {
	if event != "" && (event == s.Ping || slices.Contains(s.Events, event)) {
		return event
	}
	return "other"
}

// delivery returns the id of the delivery.
func (s *Source) delivery(h http.Header) (string, bool) {
	for _, name := range s.Delivery {
		if len(h.Values(name)) == 0 {
			continue
		}
		id, ok := once(h, name)
		return id, ok && isName(id, "")
	}
	return "", false
}

// once returns the value of a header that is there once.
func once(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// maxName is the longest id of a delivery and the longest name of an event, in bytes.
const maxName = 100

// isName reports whether a text is made of letters, digits, "-", "_", "." and what is given, and not too long.
func isName(text, also string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		case len(also) == 1 && c == also[0]:
		default:
			return false
		}
	}
	return text != "" && len(text) <= maxName
}
