package target

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// checkHeaders checks the endpoint's own headers. Names are looked at in order, so that the same spec fails with the same
// words.
func checkHeaders(spec events.EndpointSpec) error {
	seen := make(map[string]string, len(spec.Headers))
	for _, name := range slices.Sorted(maps.Keys(spec.Headers)) {
		if err := checkHeaderName(name); err != nil {
			return err
		}
		canonical := http.CanonicalHeaderKey(name)
		if other, twice := seen[canonical]; twice {
			return events.Errorf(events.CodeInvalidArgument, "headers: %s and %s are the same header", other, name)
		}
		seen[canonical] = name
		value := spec.Headers[name]
		if keyring.IsReference(value) {
			if err := checkReference("headers."+name, value); err != nil {
				return err
			}
			continue
		}
		if err := CheckHeaderValue(name, value); err != nil {
			return err
		}
		if confidential(name) && strings.Contains(value, masked) {
			return maskedValue("headers." + name)
		}
	}
	return nil
}

// CheckHeaderValue checks the value of a header, references resolved: at most [events.MaxEndpointHeaderValue] bytes, no
// control characters but tabs within, no white space around it. The error, of code invalid_argument, does not quote it.
func CheckHeaderValue(name, value string) error {
	if len(value) > events.MaxEndpointHeaderValue {
		return events.Errorf(events.CodeInvalidArgument, "headers.%.80s: the value has %d bytes; at most %d are allowed", name, len(value), events.MaxEndpointHeaderValue)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return events.Errorf(events.CodeInvalidArgument, "headers.%.80s: the value has a control character at byte %d; it is one line", name, i)
		}
	}
	if strings.Trim(value, " \t") != value {
		return events.Errorf(events.CodeInvalidArgument, "headers.%.80s: the value has white space around it, which no receiver would see", name)
	}
	return nil
}

// checkHeaderName refuses what is no name of a header, and what is not for an endpoint to set.
func checkHeaderName(name string) error {
	if name == "" {
		return events.Errorf(events.CodeInvalidArgument, "headers: a header has no name")
	}
	for i := range len(name) {
		if !tokenByte(name[i]) {
			return events.Errorf(events.CodeInvalidArgument, "headers: the name %.80q has %q at byte %d; it is made of letters, digits and !#$%%&'*+-.^_`|~", name, name[i], i)
		}
	}
	if reserved(name) {
		return events.Errorf(events.CodeInvalidArgument, "headers: %.80s is set by the dispatcher or belongs to the connection; leave it out", name)
	}
	return nil
}

// tokenByte reports whether c may stand in a token (RFC 9110, 5.6.2).
func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// fields returns headers as they are sent, in the order of their names.
func fields(header http.Header) []egress.Field {
	list := make([]egress.Field, 0, len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			list = append(list, egress.Field{Name: name, Value: value})
		}
	}
	return list
}

// reserved reports whether a header is ours or the connection's.
func reserved(name string) bool {
	switch name = strings.ToLower(name); name {
	case "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host", "http2-settings",
		"keep-alive", "te", "trailer", "transfer-encoding", "upgrade", // the connection's, or such as say how to read the rest
		"baggage", "traceparent", "tracestate", "user-agent", "x-webhook-signature": // ours
		return true
	default:
		return strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "webhook-")
	}
}
